"""What the queue costs when its table has millions of finished rows: claims, settles, a member's lists.

Everything is real but the sends: Postgres, PostgREST, the rules, and the worker's own client on 500 accounts.
"""

import argparse
import asyncio
import gc
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from localstack.layout import LocalStackError
from scripts.drills.queue_reads import reads
from scripts.drills.queue_sql import ACCOUNTS, ACCOUNTS_EACH, DAYS, ORGANIZATIONS
from scripts.drills.queue_worker import BenchWorker, Drained, gateway, postgrest
from scripts.drills.queue_world import QueueWorld, queue_world
from scripts.drills.report import Report, percentile, rounded, run
from worker.supabase.client import Database
from worker.supabase.outbox import claim_from

FEW = 10_000  #: finished rows of the table that a large one is compared with
TOO_LONG = 3_600  #: seconds after which a run is given up


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured: enough for a p99 with a large table, little with a small one."""

    messages: int  #: for the throughput, at least
    seconds: float  #: and for so long
    others: int  #: messages for each figure beside it
    claims: int  #: single claims
    reads: int
    warm_up: (
        int  #: exchanges before anything counts: PostgREST's 20 connections each plan and cache for themselves
    )

    @classmethod
    def at(cls, rows: int) -> "Effort":
        """From a million rows on the figures are meant to be quoted."""
        return (
            cls(20_000, 10.0, 10_000, 400, 200, 300) if rows >= 1_000_000 else cls(3_000, 1.0, 1_500, 40, 20, 40)
        )


@dataclass(slots=True)
class Bench:
    """One run over a loaded world; remembers every message that it queued and every claim that it got."""

    report: Report
    world: QueueWorld
    effort: Effort
    batch: int
    queued: set[UUID] = field(default_factory=set)
    claimed: list[UUID] = field(default_factory=list)
    per_row: list[float] = field(default_factory=list)

    async def queue(self, count: int, *, ruled: bool = True) -> None:
        """Open rows, at most 10,000 a statement."""
        while count > 0:
            some = min(count, 10_000)
            ids, milliseconds = await self.world.queue(some, ruled=ruled)
            self.queued |= set(ids)
            self.per_row.append(milliseconds * 1000 / some)
            count -= some
        gc.freeze()  # a worker's garbage collector would not walk through what the bench remembers

    async def drained(self, worker: BenchWorker, count: int, batch: int, *, ruled: bool = True) -> Drained:
        """Queue so many and drain them."""
        await self.queue(count, ruled=ruled)
        seen = await worker.drain(count, batch)
        self.claimed += seen.messages
        return seen

    async def throughput(self, worker: BenchWorker) -> None:
        """The main figure: one worker, one call after the other."""
        messages, seconds, calls = 0, 0.0, list[float]()
        before = await self.world.processor_times()
        while messages < self.effort.messages or seconds < self.effort.seconds:
            seen = await self.drained(worker, self.effort.messages, self.batch)
            messages += len(seen.messages)
            seconds += seen.seconds
            calls += seen.calls
        name = f"claim + settle, batch {self.batch}, every rule on"
        self.report.bar(name, round(messages / seconds), "messages/s", ">=", 2_000)
        after = await self.world.processor_times()
        spent = sum(used - before.get(pid, 0) for pid, used in after.items())
        self.report.note(f"{name}: processor time in Postgres, an exchange", rounded(spent / len(calls)), "ms")
        for share, value in (("p50", 0.5), ("p99", 0.99)):
            self.report.note(f"{name}: one exchange, {share}", rounded(percentile(calls, value)), "ms")
        self.report.extra |= {"messages": messages, "drain_seconds": round(seconds, 1)}

    async def other_ways(self, worker: BenchWorker, through_gateway: Database) -> None:
        """Figures to compare it with."""
        some = self.effort.others
        await self.world.rules(on=False)
        seen = await self.drained(worker, some, self.batch, ruled=False)
        await self.world.rules(on=True)
        self.note_rate(f"claim + settle, batch {self.batch}, no quiet hours, groups or contacts", seen)
        self.note_rate(f"claim + settle, batch {self.batch} × 2", await self.drained(worker, some, 2 * self.batch))
        self.note_rate("claim + settle, batch 1", await self.drained(worker, some // 10, 1))
        direct, worker.database = worker.database, through_gateway
        self.note_rate(
            f"claim + settle, batch {self.batch}, through the gateway",
            await self.drained(worker, some, self.batch),
        )
        worker.database = direct

    async def two_workers(self, first: BenchWorker, database: Database) -> None:
        """Two workers, each with half of the accounts, at once."""
        half = ACCOUNTS // 2
        await first.hold(half)
        async with BenchWorker.serving(database, "bench-two", half) as second:
            await self.queue(self.effort.others)
            both = await asyncio.gather(
                *(worker.drain(self.effort.others, self.batch, complete=False) for worker in (first, second))
            )
        for seen in both:
            self.claimed += seen.messages
        seconds = max(seen.seconds for seen in both)
        total = sum(len(seen.messages) for seen in both)
        self.report.note(f"claim + settle, batch {self.batch}, two workers", round(total / seconds), "messages/s")

    async def claims(self, worker: BenchWorker) -> None:
        """Single claims of the large table, nothing beside them."""
        await self.queue(self.effort.claims * self.batch)
        times, settles = list[float](), list[float]()
        for _ in range(self.effort.claims):
            claims, milliseconds = await worker.claim(self.batch)
            settles.append(await worker.settle(claims))
            self.claimed += [claim.message_id for claim in claims]
            # A claim that crosses with a heartbeat finds accounts locked and gives fewer: too cheap to count.
            if len(claims) == self.batch:
                times.append(milliseconds)
        if len(times) < 0.9 * self.effort.claims:
            raise RuntimeError(
                f"only {len(times)} of {self.effort.claims} claims were full although enough was due"
            )
        await self.drain_rest(worker)
        name = f"claim of {self.batch}"
        self.report.bar(f"{name}, p99", rounded(percentile(times, 0.99)), "ms", "<=", 25)
        self.report.note(f"{name}, p50", rounded(percentile(times, 0.5)), "ms")
        for share, value in (("p50", 0.5), ("p99", 0.99)):
            self.report.note(f"settle of {self.batch}, {share}", rounded(percentile(settles, value)), "ms")

    async def growth(self, large: BenchWorker, small_world: QueueWorld, small: BenchWorker) -> None:
        """Single claims, alternating between large and small table, so that other load hits both."""
        rounds, inside_rounds = self.effort.claims, self.effort.claims // 4
        warm = self.effort.warm_up * self.batch
        needed = (rounds + inside_rounds) * self.batch + warm
        await self.queue(needed)
        await small_world.queue(needed)
        self.claimed += (await large.drain(warm, self.batch)).messages
        await small.drain(warm, self.batch)
        called: dict[str, list[float]] = {"large": [], "small": []}
        inside: dict[str, list[float]] = {"large": [], "small": []}
        for number in range(rounds + inside_rounds):
            for name, world, worker in (("large", self.world, large), ("small", small_world, small)):
                if number < rounds:
                    claims, milliseconds = await worker.claim(self.batch)
                    times = called[name]
                else:
                    rows, milliseconds = await world.claim(worker.run, self.batch)
                    claims = [claim_from(row) for row in rows]
                    times = inside[name]
                await worker.settle(claims)
                if len(claims) == self.batch:
                    times.append(milliseconds)
                if name == "large":
                    self.claimed += [claim.message_id for claim in claims]
        await self.drain_rest(large)
        self.growth_bars(called, inside)

    async def drain_rest(self, worker: BenchWorker) -> None:
        """Drain what was queued and not claimed."""
        self.claimed += (await worker.drain(len(self.queued) - len(self.claimed), self.batch)).messages

    def growth_bars(self, called: dict[str, list[float]], inside: dict[str, list[float]]) -> None:
        """What the claims in turn say; two stacks share the machine, so only their ratio is a bar."""
        report, name = self.report, f"claim of {self.batch}, in turn"
        middle = {size: percentile(values, 0.5) or 0 for size, values in called.items()}
        report.bar(
            f"{name}: median ÷ that at {FEW:,} rows", rounded(middle["large"] / middle["small"]), "", "<=", 1.2
        )
        for size, label in (("large", ""), ("small", f" at {FEW:,} rows")):
            for share, value in (("p50", 0.5), ("p99", 0.99)):
                report.note(f"{name}, {share}{label}", rounded(percentile(called[size], value)), "ms")
                report.note(
                    f"{name}, in the database, {share}{label}", rounded(percentile(inside[size], value)), "ms"
                )

    async def judge(self) -> None:
        """Every message went out once, and nothing is left behind."""
        sent = await self.world.value(
            "select count(*) from public.scheduled_whatsapp_messages where id = any(%s) and status = 'sent'",
            [list(self.queued)],
        )
        many = f"of {len(self.queued)}"
        self.report.bar("claimed twice", len(self.claimed) - len(set(self.claimed)), many, "==", 0)
        self.report.bar("not sent", len(self.queued) - sent, many, "==", 0)
        left = await self.world.value("select count(*) from herald.message_claims")
        self.report.bar("claims left over", left, "", "==", 0)

    def note_rate(self, name: str, seen: Drained) -> None:
        """Messages a second, without a limit."""
        self.report.note(name, round(len(seen.messages) / seen.seconds), "messages/s")


async def bench(as_json: bool, rows: int, batch: int, keep: Path | None) -> int:
    """Load, measure, judge; the exit code."""
    report, effort = Report("queue", as_json), Effort.at(rows)
    started_under = os.getloadavg()
    async with asyncio.timeout(TOO_LONG), AsyncExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="herald-queue-")))
        report.say("starting two stacks: one with few finished rows, one with many")
        world = await exits.enter_async_context(queue_world(keep or folder / "many", report.say, keep=bool(keep)))
        loaded = await world.load(rows)
        measured = Bench(report, world, effort, batch)
        rpc = await exits.enter_async_context(postgrest(world.stack))
        report.say(f"a worker takes {ACCOUNTS} accounts")
        async with BenchWorker.serving(rpc, "bench-one", ACCOUNTS) as worker:
            async with queue_world(folder / "few", report.say) as small_world:
                await small_world.load(min(FEW, rows))
                async with (
                    postgrest(small_world.stack) as small_rpc,
                    BenchWorker.serving(small_rpc, "bench-one", ACCOUNTS) as small,
                ):
                    for each in (world, small_world):
                        await each.tidy()
                    report.say("claims, in turn from many and from few rows")
                    await measured.growth(worker, small_world, small)
            report.say("claims")
            await measured.claims(worker)
            report.say("claim and settle")
            await measured.throughput(worker)
            report.say("other ways to claim")
            await measured.other_ways(worker, await exits.enter_async_context(gateway(world.stack)))
            await measured.two_workers(worker, rpc)
        await measured.judge()
        report.say("a member's reads")
        await reads(report, world, effort.reads)
        note_insert(report, measured.per_row)
        report.extra |= await facts(world, rows, loaded)
    report.extra |= {"load_average": [round(figure, 1) for figure in (*started_under, *os.getloadavg())]}
    return report.finish()


def note_insert(report: Report, per_row: list[float]) -> None:
    """What a row costs whoever inserts it."""
    report.note(
        "insert of 10,000 rows in one statement, all triggers, a row", rounded(percentile(per_row, 0.5)), "µs"
    )


async def facts(world: QueueWorld, rows: int, loaded: float) -> dict[str, Any]:
    """What the figures were measured on."""
    sizes = await world.sizes()
    return {
        "rows": rows,
        "days": DAYS,
        "organizations": ORGANIZATIONS,
        "accounts": ORGANIZATIONS * ACCOUNTS_EACH,
        "load_seconds": round(loaded, 1),
        "mebibytes": sizes,
        "mebibytes_in_all": sum(sizes.values()),
        "shared_buffers": await world.value("select current_setting('shared_buffers')"),
    }


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench queue", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rows", type=int, default=100_000, help="finished rows (default 100000)")
    parser.add_argument("--batch", type=int, default=50, help="messages a call (default 50)")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="leave the loaded stack running in DIR; a later run uses it"
    )
    options = parser.parse_args()
    try:
        return run(bench(options.json, options.rows, options.batch, options.keep))
    except LocalStackError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
