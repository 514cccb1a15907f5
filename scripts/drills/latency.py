"""How long a row waits: from its insert to the moment its bytes are on the wire, with Realtime and with it cut."""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from scripts.drills.report import Report, percentile, run
from tests.kit.world import Row, World

POLL_SECONDS = 2.0
ACCOUNT, RECIPIENT = "491511111101", "491522222201"


async def measure(world: World, template: Row, count: int, prefix: str, pause: float) -> list[float]:
    """Milliseconds from just before each insert until the recipient's client had decrypted it, one at a time.

    The arrival is a little later than the bytes on the wire, so the figure errs on the strict side. pause: up to
    so many seconds between two, at random, so that inserts don't ride on the receipts of the message before.
    """
    waits: list[float] = []
    for number in range(count):
        await asyncio.sleep(random.uniform(0.2, pause))
        text = f"{prefix} {number}"
        inserted = time.time()
        await world.schedule([{**template, "message_content": text}])
        received = await world.simulator.ledger.wait_for(RECIPIENT, text, 30)
        waits.append((received.arrived_at - inserted) * 1000)
    return waits


async def bench(as_json: bool, messages: int) -> int:
    """Measure both ways; the exit code."""
    report = Report("latency", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-latency-") as folder:
        report.say("starting the stack, the simulator and a worker")
        async with World(Path(folder)) as world:
            worker = world.make_worker("bench-worker", POLL_INTERVAL=str(POLL_SECONDS), LOG_LEVEL="WARNING")
            await worker.start()
            session = await world.link("Bench", ACCOUNT)
            await world.simulator.recipient(RECIPIENT)
            template: Row = {"session_id": session, "recipient_phone": "+" + RECIPIENT}
            await measure(world, template, 3, "warm-up", 0.3)
            report.say(f"{messages} messages with Realtime")
            with_hints = await measure(world, template, messages, "hinted", 0.4)
            report.say("cutting Realtime")
            await world.realtime("cut")
            few = max(messages // 5, 5)
            report.say(f"{few} messages by poll alone ({POLL_SECONDS:g} s)")
            polled = await measure(world, template, few, "polled", 1.5 * POLL_SECONDS)
    p50 = percentile(with_hints, 0.5)
    report.bar("inserted → received, median", round(p50 or 0, 1), "ms", "<=", 500)
    report.bar("inserted → received, p95", round(percentile(with_hints, 0.95) or 0, 1), "ms", "<=", 500)
    limit = POLL_SECONDS * 1000 + 500
    report.bar("Realtime cut: inserted → received, worst", round(max(polled), 1), "ms", "<=", limit)
    report.extra = {"messages": messages, "poll_seconds": POLL_SECONDS}
    return report.finish()


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench latency", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--messages", type=int, default=50, help="how many with Realtime (default 50)")
    options = parser.parse_args()
    return run(bench(options.json, options.messages))


if __name__ == "__main__":
    sys.exit(main())
