"""Holds the leases of this worker's sessions and runs each of them; the heartbeat says what is wanted.

A session that the heartbeat no longer lists is not ours any more: it is abandoned at once and nothing is written
about it. Each provider's factory hears how long its sessions are ours, in case this process hangs.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import structlog

from worker.errors import HeraldError, LostLease
from worker.events import SessionEvent
from worker.ports import Leases
from worker.sending.ledger import Ledger
from worker.session import DesiredState, Held, Lease, ProviderName, SessionStatus
from worker.sessions.port import Session, Sessions

log = structlog.get_logger()

#: What a session's send in flight gets at a graceful stop, seconds; then it is left in doubt.
DRAIN_SECONDS = 10.0

#: What the last sends of a closed session get to be settled in, seconds; then its next holder looks them up.
SETTLE_SECONDS = 3.0

#: How long a session that failed waits before it starts again from its store, seconds.
RESTART_SECONDS = 2.0


#: What the row of an account says that this worker has no provider for.
UNKNOWN_PROVIDER = "This worker can't serve this kind of account. Ask the operator to upgrade it."


class Supervisor:
    """Starts and stops sessions so that they match the leases that this worker holds."""

    def __init__(
        self, *, leases: Leases, factories: Mapping[ProviderName, Sessions], ledger: Ledger, capacity: int
    ) -> None:
        self._rows = leases
        self._factories = factories
        self._ledger = ledger
        self._capacity = capacity
        self._sessions: dict[UUID, Session] = {}
        self._leases: dict[UUID, Lease] = {}
        self._runs: dict[UUID, asyncio.Task[None]] = {}
        self._endings: dict[UUID, asyncio.Task[None]] = {}
        self._beating = asyncio.Lock()
        self._stopping = False

    def session(self, session_id: UUID) -> Session | None:
        """Find a session that this worker serves."""
        return self._sessions.get(session_id)

    def holds(self, session_id: UUID) -> bool:
        """Whether this worker serves a session, has its lease, or is about to close it."""
        return any(session_id in known for known in (self._sessions, self._leases, self._endings))

    def gap(self, session_id: UUID) -> float:
        """Tell the least time between two sends of a session, seconds; 0 if it is not ours."""
        lease = self._leases.get(session_id)
        return lease.gap if lease else 0.0

    @property
    def counts(self) -> dict[str, int]:
        """How many sessions are held, and how many of them can send."""
        sessions = self._sessions.values()
        return {"held": len(sessions), "connected": sum(session.ready for session in sessions)}

    def hear(self, event: SessionEvent) -> None:
        """Hand an event to its session."""
        if session := self._sessions.get(event.session_id):
            session.hear(event)

    async def heartbeat(self) -> None:
        """Renew leases and match what runs to what is held. Raises LostLease when this process was replaced.

        While this worker stops it takes no session any more, and keeps those that are not handed over yet.
        """
        async with self._beating:
            asked = time.monotonic()
            held = {h.session_id: h for h in await self._rows.heartbeat(0 if self._stopping else self._capacity)}
            for session_id in self._sessions.keys() - held.keys():
                self._abandon(session_id)
            self._renew(held, asked)
            if not self._stopping:
                for one in held.values():
                    self._match(one)

    def _renew(self, held: dict[UUID, Held], asked: float) -> None:
        """Move the deadlines of what we served when we asked; a lease that we lost in between is not renewed."""
        for session_id in self._leases.keys() - held.keys():
            del self._leases[session_id]
        deadlines: dict[ProviderName, dict[UUID, float]] = {}
        for session_id, one in held.items():
            session = self._sessions.get(session_id)
            lease = self._leases.get(session_id)
            if lease is None or (session and session.held.epoch != one.epoch):
                self._leases[session_id] = Lease(one, asked)
            else:
                lease.renew(one, asked)
                deadlines.setdefault(one.provider, {})[session_id] = lease.deadline
        for provider, factory in self._factories.items():
            factory.extend(deadlines.get(provider, {}))

    def _match(self, held: Held) -> None:
        if held.session_id in self._endings:
            return
        running = self._sessions.get(held.session_id)
        if running and running.held.epoch != held.epoch:
            # The lease lapsed and came back to us: what was claimed before is to be looked up, not trusted. The
            # next heartbeat starts it again.
            self._abandon(held.session_id)
        elif running and running.ending:
            return  # its row no longer wants it, by its own word: to disconnect it now would hide why it ended
        elif held.provider not in self._factories:
            self._end(held.session_id, self._decline(held))
        elif held.desired_state is not DesiredState.CONNECTED:
            self._end(held.session_id, self._retire(held, running or self._make(held)))
        elif running is None:
            self._start(held)

    async def _decline(self, held: Held) -> None:
        """Give back an account whose provider is newer than this worker, with words in its row."""
        log.warning("provider_unknown", session_id=str(held.session_id))
        with told(held):
            await self._rows.report(held, status=SessionStatus.ERROR, last_error=UNKNOWN_PROVIDER)
            await self._rows.release(held)

    def _end(self, session_id: UUID, ending: Coroutine[Any, Any, None]) -> None:
        """End a session beside the heartbeat: closing one takes seconds, and the others' leases don't wait."""

        def ended(_: asyncio.Task[None]) -> None:
            self._endings.pop(session_id, None)

        task = asyncio.create_task(ending, name=f"end of session {session_id}")
        self._endings[session_id] = task
        task.add_done_callback(ended)

    async def _retire(self, held: Held, session: Session) -> None:
        """Disconnect it or log it out as an admin wants, report that, and give it back."""
        await self._halt(held.session_id)
        with told(held):
            if held.desired_state is DesiredState.LOGGED_OUT:
                self._sessions[held.session_id] = session  # it may have to connect for that, and needs its events
                try:
                    await session.logout()
                finally:
                    del self._sessions[held.session_id]
            else:
                await session.close()
                await self._rows.report(held, status="disconnected")
            await self._release(held)

    async def reconnect(self, session_id: UUID) -> None:
        """Close a session in order and start it again at once, also one that backs off or shows a QR.

        Raises HeraldError if this worker does not serve it.
        """
        session = self._sessions.get(session_id)
        if session is None or session.ending or session_id in self._endings:
            raise HeraldError("This account is not being served. Look at its status; if it is off, press connect.")
        self._end(session_id, self._start_again(session))
        await asyncio.wait([self._endings[session_id]])  # the caller may give up; the reconnection goes on

    async def _start_again(self, session: Session) -> None:
        """Keep lease and desired state meanwhile: if this process dies, the next holder opens the account."""
        held = session.held
        await self._halt(held.session_id)
        with told(held):
            await self._rows.report(held, status=SessionStatus.CONNECTING)  # nothing is claimed for it now
        await self._ledger.until_settled(held.session_id, DRAIN_SECONDS)
        with told(held):
            await session.close()
        if self._stopping:
            with told(held):
                await self._release(held)
        elif held.session_id in self._leases:
            self._start(held)

    def _make(self, held: Held) -> Session:
        return self._factories[held.provider].make(held, self._leases[held.session_id])

    def _start(self, held: Held) -> None:
        session = self._make(held)
        self._sessions[held.session_id] = session
        task = asyncio.create_task(self._run(session), name=f"session {held.session_id}")
        self._runs[held.session_id] = task

    async def _run(self, session: Session) -> None:
        held = session.held
        while True:
            try:
                await session.run()
            except LostLease:
                await session.abandon()
            except HeraldError as error:
                # Supabase or the engine is away: close, wait, begin again from the store.
                log.warning("session_restarts", session_id=str(held.session_id), error=error)
                with suppress(HeraldError):
                    await session.abandon()
                await asyncio.sleep(RESTART_SECONDS)
                if held.session_id not in self._leases:
                    break
                session = self._make(held)
                self._sessions[held.session_id] = session
                continue
            except Exception:
                log.exception("session_broke", session_id=str(held.session_id))
                with suppress(HeraldError):
                    await session.abandon()
            break
        # Ended by itself: a person is needed, so nobody should hold it.
        if self._sessions.get(held.session_id) is session:
            del self._sessions[held.session_id]
            self._endings[held.session_id] = self._runs.pop(held.session_id)
            try:
                with told(held):
                    await self._release(held)
            finally:
                del self._endings[held.session_id]

    async def _halt(self, session_id: UUID) -> None:
        self._sessions.pop(session_id, None)
        if task := self._runs.pop(session_id, None):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _abandon(self, session_id: UUID) -> None:
        """The lease is not ours any more: close the sockets, write nothing."""

        async def abandon(session: Session) -> None:
            await self._halt(session_id)
            with suppress(HeraldError):
                await session.abandon()

        if session := self._sessions.get(session_id):
            log.warning("lease_lost", session_id=str(session_id), epoch=session.held.epoch)
            self._end(session_id, abandon(session))

    async def snapshot_all(self) -> None:
        """Seal every store that has changed."""
        for session in list(self._sessions.values()):
            with told(session.held):
                await session.snapshot()

    async def sync_all_groups(self) -> None:
        """Read every connected account's groups again."""
        for session in list(self._sessions.values()):
            if session.ready:
                with told(session.held):
                    await session.sync_groups()

    async def stop(self) -> None:
        """Close every session in order, save its state with the clean flag, and give its lease back.

        Each goes as soon as its own send in flight is settled, so that one that stalls holds up no other. The
        dispatcher must claim no more, and go on settling; heartbeats go on too, for a stalled send takes time.
        """
        self._stopping = True
        async with self._beating:
            sessions = list(self._sessions)
        await asyncio.gather(*(self._hand_over(session_id) for session_id in sessions), *self._endings.values())

    async def _hand_over(self, session_id: UUID) -> None:
        await self._ledger.until_settled(session_id, DRAIN_SECONDS)
        if (session := self._sessions.get(session_id)) and session.ending:
            # With a limit: if its row could not be written, it has started again.
            await asyncio.wait([self._runs[session_id]], timeout=DRAIN_SECONDS)
        if (session := self._sessions.get(session_id)) is None:
            return  # lost, or ended by itself meanwhile
        with told(session.held):
            await self._halt(session_id)
            await session.close()
            await self._release(session.held)

    async def _release(self, held: Held) -> None:
        """Give it back once its last outcomes are written: without the lease that is not allowed."""
        await self._ledger.until_settled(held.session_id, SETTLE_SECONDS)
        await self._rows.release(held)


@contextmanager
def told(held: Held) -> Iterator[None]:
    """Log what Supabase or the engine refused and go on: the next heartbeat repairs it."""
    try:
        yield
    except HeraldError as error:
        log.warning("session_step_failed", session_id=str(held.session_id), error=error)
