"""Supabase, a part of it or the network fails during a drain: how soon the full rate is back, and at what cost.

Judged by the recipients' ledger. The rate is back when, after the outage's end, as many messages arrive within a
second as nine tenths of the median second before it.
"""

import argparse
import asyncio
import logging
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from itertools import cycle
from pathlib import Path
from typing import cast

import httpx
import psycopg
from postgrest import APIError

from localstack.client import ChildName
from scripts.drills.crash_ground import Ground
from scripts.drills.crash_judge import judge
from scripts.drills.report import Report, percentile, run
from tests.kit.arrivals import Arrivals
from tests.kit.project import named_project
from tests.kit.worker_process import until
from tests.kit.world import World

#: LEASE_SECONDS of the worker: the setting's own. No outage here lasts longer.
LEASE = 20.0

#: Messages that wait at any time, and how many are queued at once.
WAITING, WAVE = 120, 160

#: The rate before an outage is taken over so long, after it has been steady for as long, seconds.
STEADY = 5.0

#: How long a network outage lasts, seconds.
SHORTEST, LONGEST = 1.0, 6.0

#: How long the rate may take to come back, and Postgres or PostgREST to start, before a round is given up, seconds.
BACK, RESTART = 60.0, 40.0

#: How long the last messages may take without any of them going out, seconds.
STILL = 60.0


class Outage(StrEnum):
    """What goes away."""

    POSTGRES = "Postgres"  #: killed, and started again
    POSTGREST = "PostgREST"  #: killed, and started again
    NETWORK = "network"  #: the worker's, to Supabase and WhatsApp: reset and refused, or half-open, in turn


class Outages:
    """One worker that drains four accounts' queue, and what it is put through."""

    def __init__(self, ground: Ground, report: Report) -> None:
        self.ground, self.report = ground, report
        self.back: dict[Outage, list[float | None]] = {outage: [] for outage in Outage}
        self._arrivals = Arrivals(ground.world.simulator.ledger.path)
        self._rng = random.Random(11)
        self._half_open = cycle([False, True])

    async def feed(self) -> None:
        """Keep messages waiting until cancelled, whatever is away."""
        while True:
            with suppress(psycopg.Error, APIError, httpx.HTTPError, TimeoutError):
                if await self.ground.count(("pending",)) < WAITING:
                    await self.ground.wave(WAVE)
            await asyncio.sleep(0.3)

    async def strike(self, outage: Outage, number: int) -> None:
        """One outage: when the rate is steady, until it is back."""
        begun = time.time()
        await until(lambda: self._steady(begun), BACK, "a steady rate")
        before = self._arrivals.median_rate(time.time() - STEADY, time.time())
        await asyncio.sleep(self._rng.uniform(0.0, 0.5))
        await self._kinds()[outage]()
        over = time.time()
        try:
            back = await until(lambda: self._back(over, 0.9 * before), BACK, "the full rate") - over
        except TimeoutError:
            back = None
        self.back[outage].append(back)
        told = "not back" if back is None else f"{before:g} a second again after {back:.1f} s"
        self.report.say(f"{outage}, {number}: {told}; each account's first after {', '.join(self._firsts(over))}")

    def _firsts(self, over: float) -> list[str]:
        """After how many seconds each account sent again, if it has."""
        texts: dict[str, list[str]] = {account.session: [] for account in self.ground.accounts}
        for message in self.ground.messages.values():
            texts[message.session].append(message.text)
        firsts = sorted(self._arrivals.first_of(each, over) or math.inf for each in texts.values())
        return ["-" if first == math.inf else f"{first - over:.1f}" for first in firsts]

    async def _steady(self, since: float) -> bool | None:
        now = time.time()
        return True if now - since > STEADY and self._arrivals.median_rate(now - STEADY, now) > 0 else None

    async def _back(self, since: float, rate: float) -> float | None:
        return self._arrivals.first_second(since, rate)

    def _kinds(self) -> dict[Outage, Callable[[], Awaitable[None]]]:
        return {
            Outage.POSTGRES: lambda: self._kill("postgres"),
            Outage.POSTGREST: lambda: self._kill("postgrest"),
            Outage.NETWORK: self._cut,
        }

    async def _kill(self, child: ChildName) -> None:
        world = self.ground.world
        killed = world.stack.kill(child)
        await asyncio.to_thread(world.stack.await_restart, child, killed, within=RESTART)
        if child == "postgres":
            await world.reconnect()

    async def _cut(self) -> None:
        wires = self.ground.hosts[0].wires
        proxies = (wires.gate.network, wires.whatsapp)
        half_open = next(self._half_open)
        for proxy in proxies:
            if half_open:
                proxy.half_open()
            else:
                await proxy.cut()
        await asyncio.sleep(self._rng.uniform(SHORTEST, LONGEST))
        for proxy in proxies:
            await proxy.heal()

    async def drain(self) -> None:
        """Wait for the last messages, for as long as any of them moves."""
        moved, before = time.monotonic(), -1
        while (left := await self.ground.count(("pending", "sending"))) and time.monotonic() - moved < STILL:
            if left != before:
                moved, before = time.monotonic(), left
            await asyncio.sleep(0.2)


async def bench(as_json: bool, rounds: int, only: list[Outage]) -> int:
    """Run the rounds; the exit code."""
    report = Report("outages", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-outages-") as folder:
        report.say("starting the stack, the simulator and a worker")
        async with World(Path(folder)) as world, Ground(world, 1, 4, LEASE) as ground:
            outages = Outages(ground, report)
            feeding = asyncio.create_task(outages.feed())
            for number in range(1, rounds + 1):
                for outage in only:
                    await outages.strike(outage, number)
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await outages.drain()
            received = Counter((entry.phone, entry.text) for entry in world.simulator.ledger.received())
            verdict = judge(ground.messages, await ground.rows(ground.messages), received)
    for outage in only:
        times = [seconds for seconds in outages.back[outage] if seconds is not None]
        worst = round(max(times), 1) if len(times) == rounds else None
        report.bar(f"{outage} × {rounds}: not back", rounds - len(times), "", "==", 0)
        report.bar(f"{outage}: full rate again, worst", worst, "s", "<=", 10)
        report.note(f"{outage}: full rate again, median", round(percentile(times, 0.5) or 0, 1), "s")
    report.bar("lost", len(verdict.lost), f"of {len(ground.messages)}", "==", 0)
    report.bar("received twice", len(verdict.twice), f"of {len(ground.messages)}", "==", 0)
    report.bar("not sent, failed or in doubt with a reason", len(verdict.unended), "", "==", 0)
    report.note("in doubt", len(verdict.in_doubt), "")
    report.note("failed with a reason", len(verdict.failed), "")
    report.extra = {"rounds": rounds, "messages": len(ground.messages)}
    return report.finish()


def main() -> int:
    """Read the command line."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(prog="scripts/bench outages", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=2, help="of each outage (default 2)")
    parser.add_argument("--only", nargs="+", type=Outage, default=list(Outage), help=", ".join(Outage))
    options = parser.parse_args()
    if named_project():
        sys.exit("bench outages kills Postgres: unset SUPABASE_URL, so that it starts a stack of its own")
    return run(bench(options.json, options.rounds, cast("list[Outage]", options.only)))


if __name__ == "__main__":
    sys.exit(main())
