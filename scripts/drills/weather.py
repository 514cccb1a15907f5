"""Supabase's bad weather: calls of the worker are refused, lost, late or answered with nonsense while the queue drains.

Messages are queued at a steady pace throughout. Each call of the hot path gets each weather; then the other calls get
three of them by seed. Arrivals are the recipients' ledger's.
"""

import argparse
import asyncio
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from scripts.drills.report import Report, run
from tests.kit.faults.gate import Trouble
from tests.kit.faults.wires import Wires
from tests.kit.project import named_project
from tests.kit.worker_process import until
from tests.kit.world import World

ACCOUNTS, RECIPIENTS = 2, 2

#: Messages queued a second, and how often, seconds. The accounts could send ten times as many.
RATE, TICK = 12, 0.25

#: Calls that a message's way, and an account's life, depends on every few seconds.
HOT = ("whatsapp_settle_and_claim", "whatsapp_receipts", "whatsapp_heartbeat", "whatsapp_commands_take")

#: Calls that are made now and then.
OTHERS = (
    "whatsapp_claims_return",
    "whatsapp_claims_extend",
    "whatsapp_reap",
    "whatsapp_housekeeping",
    "whatsapp_credentials_write",
    "whatsapp_session_report",
    "whatsapp_realtime_canary",
    "whatsapp_sessions_deleted",
    "whatsapp_groups_sync",
    "whatsapp_open_messages",
)

#: How long a refusal lasts that is not over at once, and a late answer takes, seconds.
LONG, LATE = 20.0, 3.0

#: The other calls get this long for each of their weathers, seconds: the rarest are made once a minute.
ROUND = 65.0

#: Full rate again: everything queued before the weather's end has arrived, seconds after it.
BACK = 10.0

#: Each weather: what the call gets, how often (None: for LONG).
WEATHERS: dict[str, tuple[Trouble, int | None]] = {
    "401 PGRST303": (Trouble.TOKEN_REFUSED, 1),
    "401 for 20 s": (Trouble.TOKEN_REFUSED, None),
    "403 once": (Trouble.FORBIDDEN, 1),
    "500": (Trouble.BROKEN, 1),
    "502 HTML": (Trouble.BAD_GATEWAY, 1),
    "200 HTML": (Trouble.GARBAGE, 1),
    "reset": (Trouble.RESET, 1),
    "half-open": (Trouble.SILENT, 1),
    "54000": (Trouble.TOO_LARGE, 1),
    "57014": (Trouble.TIMED_OUT, 1),
    "3 s delay": (Trouble.SLOW, 1),
}


class Drain:
    """Queues messages steadily and knows which have arrived."""

    def __init__(self, world: World, sessions: list[str], recipients: list[str]) -> None:
        self._world, self._sessions, self._recipients = world, sessions, recipients
        self.texts: list[str] = []
        self._ids: list[str] = []

    async def go_on(self) -> None:
        """Queue at the rate until cancelled."""
        begun = time.monotonic()
        while True:
            due = int((time.monotonic() - begun) * RATE) + 1 - len(self.texts)
            rows = []
            for _ in range(due):
                number = len(self.texts)
                phone = self._recipients[number % len(self._recipients)]
                session = self._sessions[number % len(self._sessions)]
                self.texts.append(f"weather {number}")
                rows.append(
                    {"session_id": session, "recipient_phone": f"+{phone}", "message_content": self.texts[-1]}
                )
            if rows:
                self._ids += await self._world.schedule(rows)
            await asyncio.sleep(TICK)

    async def until_arrived(self, seconds: float) -> float:
        """Wait until all that is queued now, and what follows in a second, has arrived; how long that took.

        It waits at most so many seconds.
        """
        begun, wanted = time.monotonic(), len(self.texts) + RATE

        async def arrived() -> bool | None:
            there = {entry.text for entry in self._world.simulator.ledger.received()}
            return (len(self.texts) >= wanted and there.issuperset(self.texts[:wanted])) or None

        with suppress(TimeoutError):
            await until(arrived, seconds, "what was queued")
        return time.monotonic() - begun

    async def unwritten(self, seconds: float) -> int:
        """How many of all messages have arrived and their rows do not say so in the end."""
        ended = ("delivered", "read", "failed")
        try:
            await self._world.until_settled(self._ids, ended, seconds)
        except TimeoutError:
            return len(
                await self._world.rows(
                    "select 1 from public.scheduled_whatsapp_messages"
                    " where id = any(%s::uuid[]) and status not in ('delivered', 'read', 'failed')",
                    self._ids,
                )
            )
        return 0

    def judge(self) -> tuple[int, int]:
        """How many messages were lost, and how many came twice."""
        times = Counter(entry.text for entry in self._world.simulator.ledger.received())
        return sum(not times[text] for text in self.texts), sum(times[text] > 1 for text in self.texts)


class Weather:
    """Applies each weather to one worker."""

    def __init__(self, wires: Wires, drain: Drain, report: Report) -> None:
        self._wires, self._drain, self._report = wires, drain, report
        self.exits, self.worst, self.unmet = 0, 0.0, 0

    async def on(self, function: str, name: str) -> None:
        """One weather on one call of the hot path."""
        gate, (trouble, count) = self._wires.gate, WEATHERS[name]
        before = gate.calls[function]
        gate.trouble(trouble, function, count=count, seconds=LATE)
        if count is None:
            await asyncio.sleep(LONG)
        else:
            await self._until_called(function, before + count, LONG)
        gate.open()
        back = await self._drain.until_arrived(3 * BACK)
        self.worst = max(self.worst, back)
        self._report.say(f"{function}: {name}, back after {back:.1f} s")
        await self._alive()

    async def on_others(self, rng: random.Random, seconds: float) -> None:
        """One weather for each of the other calls at once."""
        gate = self._wires.gate
        before = Counter(gate.calls)
        for function in OTHERS:
            trouble, count = WEATHERS[rng.choice(list(WEATHERS))]
            gate.trouble(trouble, function, count=count or 3, seconds=LATE)
        await asyncio.sleep(seconds)
        gate.open()
        met = [function for function in OTHERS if gate.calls[function] > before[function]]
        self._report.say(f"other calls: {len(met)} of {len(OTHERS)} were made in it: {', '.join(met)}")
        self.worst = max(self.worst, await self._drain.until_arrived(3 * BACK))
        await self._alive()

    async def _until_called(self, function: str, calls: int, seconds: float) -> None:
        async def called() -> bool | None:
            return self._wires.gate.calls[function] >= calls or None

        try:
            await until(called, seconds, function)
        except TimeoutError:
            self.unmet += 1

    async def _alive(self) -> None:
        process = self._wires.worker.process
        if process is None or process.returncode is not None:
            self.exits += 1
            await self._wires.worker.start()


async def bench(as_json: bool, pairs: int | None, rounds: int, seed: int) -> int:
    """Run all weathers; the exit code."""
    report, rng = Report("weather", as_json), random.Random(seed)
    hot = [(function, name) for function in HOT for name in WEATHERS]
    if pairs is not None:
        hot = rng.sample(hot, pairs)
    with tempfile.TemporaryDirectory(prefix="herald-weather-") as folder:
        report.say("starting the stack, the simulator and a worker")
        async with World(Path(folder)) as world:
            worker = world.make_worker("weathered", LOG_LEVEL="WARNING")
            async with Wires.of(world, worker) as wires:
                await worker.start()
                recipients = [f"4918500001{n:02d}" for n in range(RECIPIENTS)]
                for phone in recipients:
                    await world.simulator.recipient(phone)
                sessions = [await world.link(f"Account {n}", f"4918600001{n:02d}") for n in range(ACCOUNTS)]
                await world.rows("update public.whatsapp_sessions set daily_limit = 100000 returning id")
                drain = Drain(world, sessions, recipients)
                weather = Weather(wires, drain, report)
                feeding = asyncio.create_task(drain.go_on())
                await asyncio.sleep(2)
                for function, name in hot:
                    await weather.on(function, name)
                for _ in range(rounds):
                    await weather.on_others(rng, ROUND)
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
                unwritten = await drain.unwritten(60)
                lost, twice = drain.judge()
                await wires.kill()
    shown = f"of {len(drain.texts)}"
    report.bar("worker exits", weather.exits, f"in {len(hot)} + {rounds} weathers", "==", 0)
    report.bar("lost", lost, shown, "==", 0)
    report.bar("received twice", twice, shown, "==", 0)
    report.bar("rows that do not say what became of it", unwritten, shown, "==", 0)
    report.bar("calls of the hot path that met no weather", weather.unmet, f"of {len(hot)}", "==", 0)
    report.bar("full rate again, worst", round(weather.worst, 1), "s", "<=", BACK)
    return report.finish()


def main() -> int:
    """Read the command line."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(prog="scripts/bench weather", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument(
        "--pairs", type=int, help=f"call × weather of the hot path (default {len(HOT) * len(WEATHERS)}: all)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="weathers of each other call (default 3), a minute each"
    )
    parser.add_argument("--seed", type=int, default=1, help="which weather the other calls get (default 1)")
    options = parser.parse_args()
    if named_project():
        sys.exit("bench weather needs a gate before Supabase: unset SUPABASE_URL, so that it starts its own stack")
    return run(bench(options.json, options.pairs, options.rounds, options.seed))


if __name__ == "__main__":
    sys.exit(main())
