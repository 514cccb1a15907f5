"""Workers are stopped in mid-send until another has their account, then continued: they may not send or settle then.

Every other round stops a daemon and its engines, as a host that hangs; the others the daemon alone. Judged by what
the recipient got and by what the database saw: a settlement counts as stale if the run and epoch of its claim are
not the lease's any more.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from enum import StrEnum
from pathlib import Path

from scripts.drills.report import Report, percentile, run
from simulator.client import Recipient
from simulator.faults import FaultKind
from tests.kit.worker_process import Worker, until
from tests.kit.world import Row, World

#: What the workers are told: a round takes a lease's time.
LEASES = {"LEASE_SECONDS": "6", "HEARTBEAT_SECONDS": "1.5", "POLL_INTERVAL": "1", "LOG_LEVEL": "WARNING"}

#: Messages a round, and the seconds that WhatsApp takes to answer: so stops come in every stage of a send.
MESSAGES, ROUND_TRIP = 4, 0.1

#: How long another worker may take to serve, and a thawed one to see that it has lost everything, seconds.
TAKEOVER, NOTICE = 40.0, 20.0

_WATCH = """
create table public.drill_settles (message_id uuid, stale boolean);
create function public.drill_note_settle() returns trigger language plpgsql security definer as $$
begin
  if current_query() like '%whatsapp_settle%' then
    insert into public.drill_settles select old.message_id, not exists (
      select 1 from herald.session_leases as l
      where l.session_id = old.session_id and l.run_id = old.run_id and l.epoch = old.epoch
    );
  end if;
  return old;
end $$;
create trigger drill_note_settle after delete on herald.message_claims
for each row execute function public.drill_note_settle();
"""
_UNWATCH = """
drop trigger drill_note_settle on herald.message_claims;
drop function public.drill_note_settle;
drop table public.drill_settles;
"""
_HOLDER = "select worker_id, ready from herald.session_leases where session_id = %s and expires_at > now()"


class Freeze(StrEnum):
    """What is stopped."""

    ALL = "all"  #: the daemon and its engines: a host that hangs
    DAEMON = "daemon"  #: the daemon alone: its engines must end by themselves


class Zombies:
    """Two workers that take one account from each other, and what its messages come to."""

    def __init__(self, world: World, workers: list[Worker], session: str, recipient: Recipient) -> None:
        self.world, self.workers, self.session, self.recipient = world, workers, session, recipient
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.takeovers: list[float] = []
        self._rng = random.Random(5)

    async def watch(self) -> None:
        """Have the database note every settlement from now on, and let the account send as much as it takes."""
        await self.world.database.execute(_WATCH)
        more = "update public.whatsapp_sessions set daily_limit = 10000 where id = %s returning id"
        await self.world.rows(more, self.session)
        await self.world.simulator.fault(FaultKind.DELAY, seconds=ROUND_TRIP)

    async def unwatch(self) -> None:
        """Leave the database as it was."""
        await self.world.simulator.clear_faults()
        await self.world.database.execute(_UNWATCH)

    async def _served_by(self, worker: Worker, seconds: float) -> None:
        async def look() -> bool | None:
            row = await self.world.row(_HOLDER, self.session)
            return True if row and row["worker_id"] == worker.worker_id and row["ready"] else None

        await until(look, seconds, f"the account on {worker.worker_id}")

    async def _holder(self) -> Worker:
        async def look() -> Row | None:
            row = await self.world.row(_HOLDER, self.session)
            return row if row and row["ready"] else None

        row = await until(look, TAKEOVER, "a worker that serves the account")
        return next(worker for worker in self.workers if worker.worker_id == row["worker_id"])

    async def round(self, what: Freeze) -> None:
        """Stop the holder in mid-send, have the other take over and send, and let the first go on."""
        zombie = await self._holder()
        heir = next(worker for worker in self.workers if worker is not zombie)
        assert zombie.process
        texts = [f"zombie {len(self.texts) + number:04d}" for number in range(MESSAGES)]
        to = {"session_id": self.session, "recipient_phone": f"+{self.recipient.phone}"}
        self.ids += await self.world.schedule([{**to, "message_content": text} for text in texts])
        self.texts += texts
        await asyncio.sleep(self._rng.uniform(0.0, 1.2))  # at any moment of a send
        engines = zombie.engines() if what is Freeze.ALL else []
        frozen = [zombie.process.pid, *engines]
        begun = time.monotonic()
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            await self._served_by(heir, TAKEOVER)
            self.takeovers.append(time.monotonic() - begun)
            await self.world.until_settled(self.ids[-MESSAGES:], ("sent", "delivered", "read", "in_doubt"), 40)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
        await self._noticed(zombie)
        await self._served_by(heir, 1)  # the zombie has not disconnected it

    async def _noticed(self, zombie: Worker) -> None:
        """Wait until a thawed worker knows that it holds nothing."""

        async def look() -> bool | None:
            health = await zombie.health()
            return True if health and health["ready"] and health["sessions"]["held"] == 0 else None

        await until(look, NOTICE, "a thawed worker that has let go")

    async def judge(self) -> dict[str, int]:
        """Wait until all is settled; how many messages were lost, doubled, left in doubt, and settled stale."""
        final = ("delivered", "read", "failed", "in_doubt")
        rows = await self.world.until_settled(self.ids, final, 60)
        doubtful = {row["message_content"] for row in rows if row["status"] == "in_doubt"}
        times = {text: self.recipient.times_received(text) for text in self.texts}
        [settles] = await self.world.rows(
            "select count(*) as all, count(*) filter (where stale) as stale from public.drill_settles"
        )
        return {
            "lost": sum(count == 0 for text, count in times.items() if text not in doubtful),
            "twice": sum(count > 1 for count in times.values()),
            "in_doubt": len(doubtful),
            "settles": settles["all"],
            "stale": settles["stale"],
        }


async def drill(as_json: bool, rounds: int) -> int:
    """Run the rounds; the exit code."""
    report = Report("zombie", as_json)
    with tempfile.TemporaryDirectory(prefix="herald-zombie-") as folder:
        report.say("starting the stack, the simulator and two workers")
        async with World(Path(folder)) as world:
            workers = [world.make_worker(f"zombie-{number}", **LEASES) for number in (1, 2)]
            for worker in workers:
                await worker.start()
            recipient = await world.simulator.recipient("491522222201")
            session = await world.link("Torn", "491511111101")
            zombies = Zombies(world, workers, session, recipient)
            await zombies.watch()
            for number in range(rounds):
                what = list(Freeze)[number % 2]
                await zombies.round(what)
                report.say(
                    f"{what} stopped, {number + 1} of {rounds}: taken over after {zombies.takeovers[-1]:.1f} s"
                )
            found = await zombies.judge()
            await zombies.unwatch()
    report.bar("stale settlements accepted", found["stale"], f"of {found['settles']}", "==", 0)
    report.bar("settlements seen", found["settles"], "", ">=", 1)
    report.bar("messages received twice", found["twice"], f"of {len(zombies.texts)}", "==", 0)
    report.bar("messages lost", found["lost"], f"of {len(zombies.texts)}", "==", 0)
    report.bar("left in doubt", found["in_doubt"], f"of {len(zombies.texts)}", "<=", rounds)
    report.note("taken over, median", round(percentile(zombies.takeovers, 0.5) or 0, 1), "s")
    report.note("taken over, worst", round(max(zombies.takeovers), 1), "s")
    return report.finish()


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench zombie", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--rounds", type=int, default=6, help="half of them stop the engines too (default 6)")
    options = parser.parse_args()
    return run(drill(options.json, options.rounds))


if __name__ == "__main__":
    sys.exit(main())
