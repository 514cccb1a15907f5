"""``pm2 reload`` again and again while the queue drains: no message may be lost, doubled or left in doubt.

The real PM2 with the repository's ecosystem.config.js. Judged by what recipients received; that every try has its
line in the workers' logs, which turn over all the time, is counted too.
"""

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.drills.report import Report, percentile, rounded, run
from simulator.faults import FaultKind
from tests.kit.pm2 import Pm2, moment, until_serving
from tests.kit.world import World

ACCOUNTS = [f"4915111112{number:02}" for number in range(8)]
RECIPIENTS = [f"4915222223{number:02}" for number in range(4)]

#: Seconds that WhatsApp's servers take to answer here, so that the drain lasts longer than the reloads.
ROUND_TRIP = 0.1

#: Rows in one insert of the CRM.
BATCH = 500

#: How long a reload may take, seconds.
LIMIT = 10.0


@dataclass(slots=True)
class Reloads:
    """Messages that drain while the workers are reloaded, and what that took."""

    world: World
    pm2: Pm2
    sessions: list[str]
    recipients: list[str]
    messages: dict[str, tuple[str, str]] = field(
        default_factory=dict
    )  #: id → the phone that it goes to, and its text
    commanded: list[float] = field(default_factory=list)  #: seconds until the command returned
    serving: list[float] = field(default_factory=list)  #: seconds until every account could send again
    waiting: list[int] = field(default_factory=list)  #: messages not tried yet when a reload began

    async def schedule(self, count: int) -> None:
        """Queue so many direct messages, spread over accounts and recipients."""
        targets = itertools.islice(itertools.cycle(itertools.product(self.recipients, self.sessions)), count)
        made = [(session, phone, f"reload {number:05}") for number, (phone, session) in enumerate(targets)]
        for first in range(0, count, BATCH):
            batch = made[first : first + BATCH]
            ids = await self.world.schedule(
                [
                    {"session_id": session, "recipient_phone": f"+{phone}", "message_content": text}
                    for session, phone, text in batch
                ]
            )
            self.messages |= {one: (phone, text) for one, (_, phone, text) in zip(ids, batch, strict=True)}

    async def reload(self) -> None:
        """Reload every worker, and wait until every account can send again."""
        pending = "select count(*) from public.scheduled_whatsapp_messages where status = 'pending'"
        row = await self.world.row(f"{pending} and id = any(%s::uuid[])", list(self.messages))
        self.waiting.append(row["count"] if row else 0)
        begun, since = time.monotonic(), await moment(self.world)
        await self.pm2.run("reload", "ecosystem.config.js")
        self.commanded.append(time.monotonic() - begun)
        await until_serving(self.world, self.sessions, since=since)
        self.serving.append(time.monotonic() - begun)

    async def judge(self) -> dict[str, int]:
        """Wait for the end of the drain; how many messages were lost, came twice, failed, and are in doubt."""
        final = ("sent", "delivered", "read", "failed", "in_doubt")
        rows = await self.world.until_settled(list(self.messages), final, 600)
        for phone in self.recipients:
            await self.world.simulator.until_delivered(phone, 30)
        arrived = Counter((entry.phone, entry.text) for entry in self.world.simulator.ledger.received())
        times = [arrived[target] for target in self.messages.values()]
        return {
            "messages lost": times.count(0),
            "messages received twice": sum(count > 1 for count in times),
            "failed": sum(row["status"] == "failed" for row in rows),
            "left in doubt": sum(row["status"] == "in_doubt" for row in rows),
        }

    def logged(self) -> list[dict[str, Any]]:
        """All lines of all workers."""
        names = sorted({one.name.partition(".")[0] for one in self.pm2.logs.glob("*.log")})
        return [line for name in names for line in self.pm2.log_lines(name)]


async def prepare(world: World, pm2: Pm2, accounts: int) -> Reloads:
    """Link the accounts, and let them send as much as WhatsApp's answers allow."""
    for phone in RECIPIENTS:
        await world.simulator.recipient(phone)
    sessions = [await world.link(f"Account {phone}", phone) for phone in ACCOUNTS[:accounts]]
    more = "update public.whatsapp_sessions set daily_limit = 100000 where id = any(%s::uuid[]) returning id"
    await world.rows(more, sessions)
    await world.simulator.fault(FaultKind.DELAY, seconds=ROUND_TRIP)
    return Reloads(world, pm2, sessions, RECIPIENTS)


async def bench(as_json: bool, messages: int, reloads: int, workers: int) -> int:
    """Reload and judge; the exit code."""
    report = Report("reload", as_json)
    rng = random.Random(9)
    settings = {"LOG_FILE_MB": "0.2", "LOG_FILES": "1000", "POLL_INTERVAL": "2"}
    with tempfile.TemporaryDirectory(prefix="herald-reload-") as folder:
        report.say(f"starting the stack, the simulator and {workers} workers under PM2")
        async with World(Path(folder)) as world, Pm2(world, "reload", workers=workers, **settings) as pm2:
            await pm2.start()
            drain = await prepare(world, pm2, len(ACCOUNTS))
            await drain.schedule(messages)
            for number in range(reloads):
                await asyncio.sleep(rng.uniform(0.0, 1.5))  # at any moment of a send
                await drain.reload()
                report.say(
                    f"{number + 1} of {reloads}: {drain.waiting[-1]} messages waited, "
                    f"back after {drain.serving[-1]:.2f} s"
                )
            report.say("waiting for the end of the drain")
            found = await drain.judge()
            lines = drain.logged()
    tried = {line["message_id"] for line in lines if line["event"] == "message_tried"}
    in_order = sum(line["event"] == "worker_stopped" for line in lines)
    of = f"of {messages}"
    for what, count in found.items():
        report.bar(what, count, of, "==", 0)
    report.bar("messages without a line in the log", len(drain.messages.keys() - tried), of, "==", 0)
    report.bar("workers that ended in order", in_order, f"of {reloads * workers}", "==", reloads * workers)
    report.bar("messages waiting at the last reload", drain.waiting[-1], of, ">=", 1)
    report.bar("pm2 reload returns, worst", rounded(max(drain.commanded)), "s", "<=", LIMIT)
    report.bar("every account sends again, worst", rounded(max(drain.serving)), "s", "<=", LIMIT)
    report.note("every account sends again, median", rounded(percentile(drain.serving, 0.5)), "s")
    report.extra = {"messages": messages, "reloads": reloads, "workers": workers, "accounts": len(ACCOUNTS)}
    return report.finish()


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench reload", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--messages", type=int, default=600, help="how many drain (default 600)")
    parser.add_argument("--reloads", type=int, default=4, help="of all workers, one after the other (default 4)")
    parser.add_argument("--workers", type=int, default=2, help="how many share the accounts (default 2)")
    options = parser.parse_args()
    return run(bench(options.json, options.messages, options.reloads, options.workers))


if __name__ == "__main__":
    sys.exit(main())
