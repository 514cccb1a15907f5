"""Measure what a worker with N accounts needs: memory, and processor time, idle and sending."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from scripts.drills.processor import process_time
from scripts.drills.report import Report, run
from tests.kit.worker_process import Worker
from tests.kit.world import Row, World

RECIPIENT = "491522222201"
IDLE_SECONDS = 20.0


def memory(pid: int) -> float:
    """MiB of a process: its own pages, and its share of those that it has in common with others (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def used(worker: Worker) -> tuple[float, float, float]:
    """MiB of the daemon, MiB of its engines, and seconds of processor time of all of them so far."""
    assert worker.process
    engines = worker.engines()
    spent = sum(process_time(pid) for pid in (worker.process.pid, *engines)) / 1000
    return memory(worker.process.pid), sum(map(memory, engines)), spent


async def bench(as_json: bool, accounts: int, messages: int) -> int:
    """Link the accounts, let them idle, let each send; the exit code."""
    report = Report("memory", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-memory-") as folder:
        report.say("starting the stack, the simulator and a worker")
        async with World(Path(folder)) as world:
            worker = world.make_worker("bench-worker")
            await worker.start()
            report.say(f"linking {accounts} accounts")
            phones = [f"4915111{number:05d}" for number in range(accounts)]
            sessions = [await world.link(f"Account {phone}", phone) for phone in phones]
            await world.simulator.recipient(RECIPIENT)
            report.say(f"idle for {IDLE_SECONDS:g} s")
            *_, before = used(worker)
            await asyncio.sleep(IDLE_SECONDS)
            idle_daemon, idle_engines, after = used(worker)
            idle_share = (after - before) / IDLE_SECONDS
            report.say(f"{messages} messages from each account")
            rows: list[Row] = [
                {"session_id": session, "recipient_phone": "+" + RECIPIENT, "message_content": f"Number {number}"}
                for number in range(messages)
                for session in sessions
            ]
            began = time.monotonic()
            ids = await world.schedule(rows)
            await world.until_settled(ids, ("delivered", "read"), 300)
            seconds = time.monotonic() - began
            daemon, engines, sent = used(worker)
    report.note("daemon, idle", round(idle_daemon), "MiB")
    report.note("engines, idle", round(idle_engines), "MiB")
    report.note("daemon, after sending", round(daemon), "MiB")
    report.note("engines, after sending", round(engines), "MiB")
    report.bar("daemon and engines", round(daemon + engines), "MiB", "<=", 150 + 5 * accounts)
    report.bar("processor, idle", round(100 * idle_share, 1), "% of a core", "<=", 10)
    report.note("processor, a message", round(1000 * (sent - after) / len(ids), 1), "ms")
    report.note("rate", round(60 * len(ids) / seconds), "messages/min")
    report.extra = {"accounts": accounts, "messages": len(ids)}
    return report.finish()


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench memory", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--accounts", type=int, default=10, help="how many accounts (default 10)")
    parser.add_argument("--messages", type=int, default=30, help="how many each account sends (default 30)")
    options = parser.parse_args()
    return run(bench(options.json, options.accounts, options.messages))


if __name__ == "__main__":
    sys.exit(main())
