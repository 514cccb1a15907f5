"""Kill everything at exact points of a message's path, under load, and count what arrived at the recipients.

Judged by the recipients' ledger, which is the simulator's: a message is lost if a recipient has not got it and its
row does not say so, and doubled if a recipient has got it twice. --seed fixes the order of kills, not the moments.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.drills.crash_ground import Ground
from scripts.drills.crash_judge import Verdict, by_kind, judge
from scripts.drills.crash_kills import TRIES, NotReached, Striker, until_back
from scripts.drills.crash_plan import FAILPOINTS, Kind, Order, plan, share
from scripts.drills.report import Report, percentile, run
from tests.kit.project import named_project
from tests.kit.worker_process import until
from tests.kit.world import World

#: How long accounts may take to send again after a kill, beside the lease; and how often that may fail, seconds.
BACK_SECONDS, NOT_BACK = 40.0, 3

#: How long the last messages may take: without any of them going out, to be confirmed, and to arrive, seconds.
STILL_SECONDS, CONFIRM_SECONDS, ARRIVE_SECONDS = 60.0, 25.0, 20.0

#: How long a message that a phone can't read may take to go out again, seconds: a grace of ten, and the next reaping.
UNREADABLE_SECONDS = 60.0

#: How long the own phones' evidence may take: it counts after two minutes, the phone has one, and some reserve.
EVIDENCE_SECONDS = 220.0

#: What still has to go out.
UNDER_WAY = ("pending", "sending")

#: With this many kills or more, the accounts' own phones are asked afterwards, unless told otherwise.
EVIDENCE_FROM = 50

#: At most this many failures are listed.
TOLD = 50

_TRUST = """
update public.workshop_automation_config set in_doubt_policy = 'own_phone' where organization_id = %s
returning organization_id
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    messages: int
    kills: int
    workers: int
    accounts: int
    lease: float
    seed: int
    garbles: int
    only: tuple[Kind, ...]
    evidence: bool
    as_json: bool

    @property
    def wave(self) -> int:
        """Messages queued before each kill; each account gets one more after it."""
        return max(self.messages // self.kills - self.accounts, self.accounts)

    @property
    def bound(self) -> float:
        """The longest that the kills may take, seconds."""
        return 120 + 60 * self.kills + self.messages


class Drill:
    """Runs the plan on a ground."""

    def __init__(self, ground: Ground, options: Options, report: Report) -> None:
        self.ground, self.options, self.report = ground, options, report
        self.resent = 0  #: messages that went out again because a phone could not read them
        self._striker = Striker(ground, options.wave, options.lease, options.seed)

    async def kill(self) -> None:
        """Do every kill of the plan, and queue what is left of the messages. Raises TimeoutError."""
        options, history = self.options, self.ground.history
        async with asyncio.timeout(options.bound):
            for order in plan(options.kills, options.accounts, options.seed, options.only):
                await self._strike(order)
                if sum(struck.back is None for struck in history.struck) >= NOT_BACK:
                    self.report.say("the accounts do not come back: no more kills")
                    return
            rest = options.messages - len(self.ground.messages)
            if rest > 0:
                await self.ground.wave(rest)

    async def _strike(self, order: Order) -> None:
        number = len(self.ground.history.struck) + 1
        account = self.ground.accounts[order.account]
        garbles = number <= self.options.garbles
        if garbles:
            await self.ground.damage(account)
        try:
            await self._strike_now(order, number)
        finally:
            if garbles:
                await self.ground.comes_back(account)

    async def _strike_now(self, order: Order, number: int) -> None:
        history = self.ground.history
        for attempt in range(1, TRIES + 1):
            try:
                struck = await self._striker.strike(order)
                break
            except NotReached as why:
                self.report.say(f"{number}/{self.options.kills} {order.kind}: not reached ({why}), try {attempt}")
                await until_back(self.ground, BACK_SECONDS + self.options.lease)
        else:
            return
        history.struck.append(struck)
        begun = time.monotonic()
        try:
            await until_back(self.ground, BACK_SECONDS + self.options.lease)
            struck.back = time.monotonic() - begun
            told = f"back after {struck.back:.1f} s"
        except TimeoutError as error:
            told = f"not back: {error}"
        self.report.say(f"{number}/{self.options.kills} {order.kind}: {len(struck.in_flight)} in flight, {told}")

    async def settle(self) -> None:
        """Wait until nothing is under way any more: as long as it takes while anything moves, then for receipts.

        A receipt that reached a host in the moment before its loss is lost with it: its message stays `sent`.
        """
        self.report.say(f"{len(self.ground.messages)} messages queued: waiting for the last")
        moved, before = time.monotonic(), -1
        while (open_ := await self.ground.count(UNDER_WAY)) and time.monotonic() - moved < STILL_SECONDS:
            if open_ != before:
                moved, before = time.monotonic(), open_
            await asyncio.sleep(0.2)
        if open_:
            self.report.say(f"{open_} messages do not move any more")

        async def confirmed() -> bool | None:
            return None if await self.ground.count(("sent",)) else True

        with suppress(TimeoutError):
            await until(
                confirmed, CONFIRM_SECONDS + (UNREADABLE_SECONDS if self.ground.garbled else 0), "receipts"
            )

    async def verdict(self) -> Verdict:
        """Judge; what seems lost gets some time to arrive."""
        deadline = time.monotonic() + ARRIVE_SECONDS
        while True:
            received = self.received()
            verdict = judge(self.ground.messages, await self.ground.rows(self.ground.messages), received)
            if not verdict.lost or time.monotonic() > deadline:
                return verdict
            await asyncio.sleep(0.5)

    def received(self) -> Counter[tuple[str, str]]:
        """(phone, text) → how often, by the recipients' ledger."""
        return Counter((entry.phone, entry.text) for entry in self.ground.world.simulator.ledger.received())

    async def ask_own_phones(self, verdict: Verdict) -> None:
        """Let the accounts' own phones decide what is in doubt, as an organisation may (in_doubt_policy)."""
        ground = self.ground
        self.report.say(f"{len(verdict.in_doubt)} in doubt: asking own phones, {EVIDENCE_SECONDS:g} s at most")
        await ground.world.rows(_TRUST, ground.world.organization)
        await ground.wave(len(ground.accounts))  # messages later than the doubts, for the phones to confirm
        deadline = time.monotonic() + EVIDENCE_SECONDS
        while time.monotonic() < deadline:
            await ground.world.rows("select public.whatsapp_housekeeping()")
            rows = await ground.rows(verdict.in_doubt)
            if all(row["status"] in ("delivered", "read", "failed") for row in rows):
                break
            await asyncio.sleep(2)
        await self.settle()

    async def told(self, message_id: str) -> dict[str, Any]:
        """What each side says of a message."""
        message = self.ground.messages[message_id]
        row: Mapping[str, Any] = next(iter(await self.ground.rows([message_id])), {})
        received, wa_id = self.received(), row.get("wa_message_id")
        return {
            "id": message_id,
            "text": message.text,
            "queue": {name: str(value) for name, value in row.items() if value is not None},
            "received": {name: received[name, message.text] for names in message.recipients for name in names},
            "processed_by_whatsapp": await self.ground.world.simulator.times_processed(wa_id) if wa_id else None,
            "killed_at": [str(s.order.kind) for s in self.ground.history.struck if message_id in s.in_flight],
        }


async def drill(options: Options) -> int:
    """Run it; the exit code."""
    report = Report("crash-drill", options.as_json)
    with tempfile.TemporaryDirectory(prefix="herald-crash-") as folder:
        report.say(f"starting the stack, the simulator and {options.workers} workers; seed {options.seed}")
        async with (
            World(Path(folder)) as world,
            Ground(world, options.workers, options.accounts, options.lease, garbles=options.garbles > 0) as ground,
        ):
            ran = Drill(ground, options, report)
            try:
                await ran.kill()
            except TimeoutError as error:
                report.say(f"stopped: {error or 'out of time'}")
            await ran.settle()
            first = last = await ran.verdict()
            doubts = [await ran.told(each) for each in sorted(first.in_doubt)[:TOLD]]
            if options.evidence and first.in_doubt:
                await ran.ask_own_phones(first)
                last = await ran.verdict()
            ground.note_ended()
            ran.resent = sum(row["resent_count"] > 0 for row in await ground.rows(ground.garbled))
            wrong = [await ran.told(each) for each in sorted(first.bad | last.bad)[:TOLD]]
    _bars(report, ran, first, last)
    table = by_kind(ground.history, first)
    report.extra = {
        "seed": options.seed,
        "messages": len(ground.messages),
        "table": table,
        "wrong": wrong,
        "in_doubt": doubts,
        "ended_by_themselves": ground.history.ended_by_themselves,
    }
    if wrong:
        report.say(f"repeat it with --seed {options.seed}; what each side says:")
    for each in wrong:
        report.say(f"  {each}")
    for ended in ground.history.ended_by_themselves:
        report.say(f"  {ended}")
    if not options.as_json:
        _show(table)
    return report.finish()


def _bars(report: Report, ran: Drill, first: Verdict, last: Verdict) -> None:
    history, options = ran.ground.history, ran.options
    count, reached = len(ran.ground.messages), Counter(struck.order.kind for struck in history.struck)
    back = [struck.back for struck in history.struck if struck.back is not None]
    fewest = min(reached[kind] for kind in FAILPOINTS) if not options.only else None
    report.bar("lost", len(first.lost | last.lost), f"of {count}", "==", 0)
    report.bar("received twice", len(first.twice | last.twice), f"of {count}", "==", 0)
    report.bar("not sent, failed or in doubt with a reason", len(last.unended), f"of {count}", "==", 0)
    report.bar("kills", len(history.struck), "", ">=", options.kills)
    report.bar("kills at the failpoint with the fewest", fewest, "", ">=", share(options.kills))
    report.bar("in doubt, beside the sends in flight", len(first.in_doubt), "", "<=", len(history.in_flight))
    report.bar("kills with an account not back", len(history.struck) - len(back), "", "==", 0)
    report.bar("workers that ended by themselves", len(history.ended_by_themselves), "", "==", 0)
    report.note("armed and not reached in time, repeated", len(history.unreached), "")
    report.note("sent, and their receipts lost with a host", len(last.unconfirmed), "")
    report.note("failed with a reason", len(last.failed), "")
    if options.garbles:
        report.bar("messages with a damaged copy", len(ran.ground.garbled), "", ">=", options.garbles)
        report.note("of these sent again as new ones", ran.resent, "")
        report.note("of these left unreadable, with a reason", len(last.failed & ran.ground.garbled), "")
    report.note("in doubt that had arrived", len(first.arrived_all_the_same), f"of {len(first.in_doubt)}")
    left = len(last.in_doubt) if options.evidence else None
    report.note("in doubt after the own phones' evidence", left, f"({len(last.arrived_all_the_same)} had arrived)")
    report.note("every account sends again, median", round(percentile(back, 0.5) or 0, 1), "s")
    report.note("every account sends again, worst", round(max(back, default=0), 1), "s")


def _show(table: Mapping[str, Mapping[str, float | int | None]]) -> None:
    shown = Table(title="by what was killed, seconds until every account sends again")
    shown.add_column("killed", no_wrap=True)
    for name in next(iter(table.values())):
        shown.add_column(name.replace("_", "\n"), justify="right", no_wrap=True)
    for kind, figures in table.items():
        shown.add_row(kind, *("–" if value is None else f"{value:g}" for value in figures.values()))
    Console().print(shown)


def read(arguments: list[str] | None = None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/crash-drill", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object")
    parser.add_argument("--messages", type=int, default=300, help="how many at least (default 300)")
    parser.add_argument("--kills", type=int, default=27, help="of all kinds (default 27)")
    parser.add_argument("--workers", type=int, default=2, help="at a time (default 2)")
    parser.add_argument("--accounts", type=int, default=4, help="that they share (default 4)")
    parser.add_argument("--lease", type=float, default=6, help="LEASE_SECONDS of the workers (default 6)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of kills (default 1)")
    parser.add_argument(
        "--garbles", type=int, default=0, help="kills before which a copy of a message is damaged (default 0)"
    )
    parser.add_argument("--only", nargs="+", type=Kind, default=[], metavar="KIND", help=", ".join(Kind))
    parser.add_argument(
        "--evidence",
        action=argparse.BooleanOptionalAction,
        help=f"let own phones settle doubts afterwards, four minutes (from {EVIDENCE_FROM} kills on)",
    )
    given = vars(parser.parse_args(arguments))
    if given["evidence"] is None:
        given["evidence"] = given["kills"] >= EVIDENCE_FROM
    if min(given["messages"], given["kills"], given["workers"], given["accounts"]) < 1:
        parser.error("--messages, --kills, --workers and --accounts are whole numbers from 1")
    return Options(**{**given, "only": tuple(given["only"])})


def main() -> int:
    """Read the command line and run it."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # some library wants to hear of every request
    if named_project():
        sys.exit(
            "crash-drill kills Postgres and PostgREST: unset SUPABASE_URL, so that it starts a stack of its own"
        )
    return run(drill(read()))


if __name__ == "__main__":
    sys.exit(main())
