"""Are messages readable that an account sends after its state fell back to an older snapshot, or its host was lost?

Three accounts get a clean snapshot put back that is 1, 10 and 100 messages old; a fourth's newest is unclean, for
its host is lost in mid-work. Then each sends 20 direct and 20 group messages. Judged by the recipients' ledger.
And what snapshots weigh in the database, for an account that sends 200 messages a day.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from scripts.drills.crash_judge import Message, judge
from scripts.drills.report import Report, run
from scripts.drills.snapshot_volume import Volume
from tests.kit.worker_process import Worker
from tests.kit.world import Row, World

#: How old the snapshots are that are put back, in messages; None: nothing is, the host is lost.
CASES = (1, 10, 100, None)

#: What is sent before a host is lost, since its newest snapshot.
LOST_WITH_HOST = 10

#: Each way, after the fall-back.
AFTERWARDS = 20

#: A lost host's accounts are soon taken over.
LEASES = {"LEASE_SECONDS": "6", "HEARTBEAT_SECONDS": "1.5", "POLL_INTERVAL": "1", "LOG_LEVEL": "WARNING"}

DONE = ("delivered", "read", "failed", "in_doubt")
SENT = ("sent", *DONE)


@dataclass(slots=True)
class Case:
    """One account, its recipients, and what it sends. age: of the snapshot that it falls back to, in messages."""

    age: int | None
    session: str
    group: str
    members: tuple[str, ...]
    messages: dict[str, Message] = field(default_factory=dict)  #: sent after the fall-back, by id
    kept: Row | None = None

    @property
    def name(self) -> str:
        """Its name in the report."""
        return "lost host, unclean snapshot" if self.age is None else f"snapshot {self.age} messages old"

    def rows(self, count: int, what: str) -> list[tuple[Row, Message]]:
        """That many messages, to a person and to the group in turn."""
        made: list[tuple[Row, Message]] = []
        for number in range(count):
            to = None if number % 2 else self.members[0]
            text = f"{what} {number} {'direct' if to else 'group'} {self.session[:8]}"
            way: Row = {
                "session_id": self.session,
                "recipient_phone": f"+{to}" if to else None,
                "group_id": None if to else self.group,
                "message_content": text,
            }
            made.append(
                (way, Message(text, self.session, tuple((phone,) for phone in ((to,) if to else self.members))))
            )
        return made


class Rollback:
    """The accounts, on one host after the other."""

    def __init__(self, world: World, report: Report) -> None:
        self.world, self.report = world, report
        self.cases: list[Case] = []
        self.worker: Worker
        self._hosts = 0

    async def new_host(self) -> None:
        """Start a worker with an empty state folder."""
        self._hosts += 1
        self.worker = self.world.make_worker(f"host-{self._hosts}", **LEASES)
        await self.worker.start()

    async def link(self) -> None:
        """Link an account for each case, with a group; each writes to a member and the group."""
        for number, age in enumerate(CASES):
            phone, members = f"49181000000{number}", tuple(f"4918200000{number}{n}" for n in range(2))
            for member in members:
                await self.world.simulator.recipient(member)
            session = await self.world.link(f"Account {number}", phone)
            jid = await self.world.simulator.create_group(f"Group {number}", phone, list(members))
            group = str((await self.world.group(session, jid))["id"])
            self.cases.append(Case(age, session, group, members))
        more = (
            "update public.whatsapp_sessions set daily_limit = 100000, per_group_per_minute = 100000 returning id"
        )
        await self.world.rows(more)
        await self.send("before", {case.session: 2 for case in self.cases})

    async def send(self, what: str, counts: dict[str, int], until: tuple[str, ...] = DONE) -> None:
        """Queue messages over accounts, and wait for them."""
        rows = [row for case in self.cases for row, _ in case.rows(counts[case.session], what)]
        await self.world.until_settled(await self.world.schedule(rows), until, 120)

    async def keep(self) -> None:
        """Stop in order, and keep what was sealed."""
        await self.worker.stop()
        for case in self.cases:
            case.kept = await self.world.row(
                "select * from herald.session_credentials where session_id = %s and clean", case.session
            )
        await self.worker.start()
        await self.worker.until_serving(len(self.cases))

    async def fall_back(self) -> None:
        """Send what makes the snapshots old, lose the host, put the snapshots back, and start elsewhere."""
        ages = {case.session: (LOST_WITH_HOST if case.age is None else case.age) for case in self.cases}
        await self.send("meanwhile", ages, SENT)
        await self.worker.kill()
        shutil.rmtree(self.worker.environment["STATE_DIR"])
        for case in self.cases:
            if case.age is not None and case.kept:
                await self.world.rows(
                    "update herald.session_credentials set generation = %s, sealed = %s, incarnation = %s,"
                    " clean = %s, written_in = %s, key_id = %s where session_id = %s returning session_id",
                    *(case.kept[name] for name in ("generation", "sealed", "incarnation", "clean", "written_in")),
                    *(case.kept["key_id"], case.session),
                )
        await self.new_host()
        await self.worker.until_serving(len(self.cases), 60)

    async def afterwards(self) -> None:
        """Send what has to arrive."""
        made = {case.session: case.rows(2 * AFTERWARDS, "after") for case in self.cases}
        for case in self.cases:
            ids = await self.world.schedule([row for row, _ in made[case.session]])
            case.messages = dict(zip(ids, (message for _, message in made[case.session]), strict=True))
        await self.world.until_settled([i for case in self.cases for i in case.messages], DONE, 120)

    async def judge(self) -> None:
        """Count at the recipients what arrived."""
        received = Counter((entry.phone, entry.text) for entry in self.world.simulator.ledger.received())
        sql = "select id, status, error_message from public.scheduled_whatsapp_messages where id = any(%s::uuid[])"
        for case in self.cases:
            rows = await self.world.rows(sql, list(case.messages))
            verdict = judge(case.messages, rows, received)
            readable = sum(
                all(any(devices) for devices in message.times(received)) for message in case.messages.values()
            )
            self.report.bar(f"{case.name}: readable", readable, f"of {2 * AFTERWARDS}", "==", 2 * AFTERWARDS)
            self.report.bar(f"{case.name}: lost or twice", len(verdict.bad), "", "==", 0)


async def bench(as_json: bool, messages: int) -> int:
    """Run the cases, then weigh snapshots; the exit code."""
    report = Report("rollback", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-rollback-") as folder:
        report.say("starting the stack, the simulator and a worker")
        async with World(Path(folder)) as world:
            rollback = Rollback(world, report)
            await rollback.new_host()
            await rollback.link()
            await rollback.keep()
            report.say("clean snapshots kept; sending on, losing the host, putting the snapshots back")
            await rollback.fall_back()
            report.say(f"{2 * AFTERWARDS} messages of each account")
            await rollback.afterwards()
            await rollback.judge()
            await rollback.worker.stop()
            report.say(f"weighing snapshots over {messages} messages")
            volume = await Volume.measure(world, world.make_worker("scales", **LEASES), messages)
    volume.tell(report)
    return report.finish()


def main() -> int:
    """Read the command line."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(prog="scripts/bench rollback", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--messages", type=int, default=200, help="sent while snapshots are weighed (default 200)")
    options = parser.parse_args()
    return run(bench(options.json, options.messages))


if __name__ == "__main__":
    sys.exit(main())
