"""The periodic jobs, and the loops that run when a hint comes.

Two kinds of periodic work, because APScheduler plans by the wall clock: when the clock jumps back an hour, its
jobs come an hour late. That does no harm to the jobs of ``Upkeep``. A heartbeat or a poll that is late loses
leases and delays messages, so ``Hints`` counts their time on the monotonic clock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from worker.errors import LostLease, StoreError
from worker.ports import Outbox
from worker.sessions.leftovers import Leftovers
from worker.sessions.supervisor import Supervisor

log = structlog.get_logger()

#: How often the jobs run that may be late, seconds.
REAP_SECONDS, LEFTOVER_SECONDS, HOUSEKEEPING_SECONDS, SNAPSHOT_SECONDS = 15.0, 15.0, 60.0, 60.0
GROUP_SYNC_SECONDS = 900.0


class Upkeep:
    """The jobs that may be late. An error of one is logged, and the next run tries again."""

    def __init__(self, outbox: Outbox, supervisor: Supervisor, leftovers: Leftovers) -> None:
        self._outbox = outbox
        self._supervisor = supervisor
        self._leftovers = leftovers
        self._scheduler = AsyncIOScheduler(
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        """Begin; each job runs for the first time after its interval."""
        jobs: list[tuple[Callable[[], Any], float]] = [
            (self._reap, REAP_SECONDS),
            (self._housekeep, HOUSEKEEPING_SECONDS),
            (self._look_through_leftovers, LEFTOVER_SECONDS),
            (self._supervisor.snapshot_all, SNAPSHOT_SECONDS),
            (self._supervisor.sync_all_groups, GROUP_SYNC_SECONDS),
        ]
        for job, seconds in jobs:
            self._scheduler.add_job(job, "interval", seconds=seconds)
        self._scheduler.start()

    def stop(self) -> None:
        """Start no job any more; what runs goes on."""
        self._scheduler.shutdown(wait=False)

    async def _reap(self) -> None:
        try:
            expired, in_doubt = await self._outbox.reap()
        except (StoreError, LostLease) as error:
            log.warning("reap_failed", error=error)
            return
        if expired:
            log.warning("messages_expired", count=expired)
        if in_doubt:
            log.warning("messages_in_doubt", count=in_doubt)

    async def _look_through_leftovers(self) -> None:
        try:
            await self._leftovers.look()
        except (StoreError, LostLease) as error:
            log.warning("leftovers_kept", error=error)

    async def _housekeep(self) -> None:
        try:
            failed = await self._outbox.housekeep()
        except (StoreError, LostLease) as error:
            log.warning("housekeeping_failed", error=error)
            return
        if failed:
            log.warning("housekeeping_incomplete", kind=",".join(failed))


class Hints:
    """Work that runs when a hint comes. A hint is never needed: the work runs every few seconds anyway.

    queue: wakes the dispatcher, now or after some seconds.  tells_health: is called after each piece of work with its
    name and whether the database answered.
    """

    def __init__(self, queue: Callable[[float], None], tells_health: Callable[[str, bool], None]) -> None:
        self._queue = queue
        self._tells_health = tells_health
        self._events = {name: asyncio.Event() for name in ("sessions", "commands")}

    def hint(self, name: str, after: float = 0.0) -> None:
        """Have the work of this name run soon; for ``queue`` in ``after`` seconds."""
        if name == "queue":
            self._queue(after)
        else:
            self._events[name].set()

    async def run_on(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run the work after every hint, until cancelled. Raises what the work raises, except StoreError."""
        while True:
            await self._events[name].wait()
            self._events[name].clear()
            try:
                await work()
            except StoreError as error:
                log.warning("supabase_unreachable", kind=name, error=error)
                self._tells_health(name, False)
            else:
                self._tells_health(name, True)

    async def repeat(self, seconds: float, *names: str) -> None:
        """Give these hints every few seconds, until cancelled."""
        while True:
            for name in names:
                self.hint(name)
            await asyncio.sleep(seconds)
