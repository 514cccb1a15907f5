"""Holds the leases of this worker's sessions and runs each of them; the heartbeat says what is wanted.

A session that the heartbeat no longer lists is not ours any more: its sockets are closed at once and nothing is
written about it. The engine closes them by itself should this process hang (``extend_lease``).
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from worker.errors import HeraldError, LostLease
from worker.outbox import Outbox
from worker.ports import Connected, Ended, QrShown, Transport
from worker.registry import Registry
from worker.sending.ledger import Ledger
from worker.session import DesiredState, Held, Lease, SessionStatus
from worker.sessions.live_session import LiveSession
from worker.vault.keyring import Keyring
from worker.vault.live_store import LiveStore

log = structlog.get_logger()

#: What a session's send in flight gets at a graceful stop, seconds; then it is left in doubt.
DRAIN_SECONDS = 10.0

#: What the last sends of a closed session get to be settled in, seconds; then its next holder looks them up.
SETTLE_SECONDS = 3.0


class Supervisor:
    """Starts and stops LiveSessions so that they match the leases that this worker holds."""

    def __init__(
        self,
        *,
        registry: Registry,
        outbox: Outbox,
        transport: Transport,
        ledger: Ledger,
        keyring: Keyring,
        state_dir: Path,
        capacity: int,
        qr_window: float,
        wake: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._outbox = outbox
        self._transport = transport
        self._ledger = ledger
        self._keyring = keyring
        self._state_dir = state_dir
        self._capacity = capacity
        self._qr_window = qr_window
        self._wake = wake
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._sessions: dict[UUID, LiveSession] = {}
        self._leases: dict[UUID, Lease] = {}
        self._runs: dict[UUID, asyncio.Task[None]] = {}
        self._endings: dict[UUID, asyncio.Task[None]] = {}
        self._beating = asyncio.Lock()
        self._stopping = False

    def session(self, session_id: UUID) -> LiveSession | None:
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

    def hear(self, event: QrShown | Connected | Ended) -> None:
        """Hand an event to its session."""
        if session := self._sessions.get(event.session_id):
            session.hear(event)

    async def heartbeat(self) -> None:
        """Renew leases and match what runs to what is held. Raises LostLease when this process was replaced.

        While this worker stops it takes no session any more, and keeps those that are not handed over yet.
        """
        async with self._beating:
            asked = time.monotonic()
            held = {
                h.session_id: h for h in await self._registry.heartbeat(0 if self._stopping else self._capacity)
            }
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
        deadlines: dict[UUID, float] = {}
        for session_id, one in held.items():
            session = self._sessions.get(session_id)
            lease = self._leases.get(session_id)
            if lease is None or (session and session.held.epoch != one.epoch):
                self._leases[session_id] = Lease(one, asked)
            else:
                lease.renew(one, asked)
                deadlines[session_id] = lease.deadline
        self._transport.extend_lease(deadlines)

    def _match(self, held: Held) -> None:
        if held.session_id in self._endings:
            return
        running = self._sessions.get(held.session_id)
        if running and running.held.epoch != held.epoch:
            # The lease lapsed and came back to us: what was claimed before is to be looked up, not trusted. The
            # next heartbeat begins anew.
            self._abandon(held.session_id)
        elif running and running.ending:
            return  # its row no longer wants it, by its own word: to disconnect it now would hide why it ended
        elif held.desired_state is not DesiredState.CONNECTED:
            self._end(held.session_id, self._retire(held, running or self._make(held)))
        elif running is None:
            self._start(held)

    def _end(self, session_id: UUID, ending: Coroutine[Any, Any, None]) -> None:
        """Let a session end beside the heartbeat: closing one takes seconds, and the others' leases don't wait."""

        def ended(_: asyncio.Task[None]) -> None:
            self._endings.pop(session_id, None)

        task = asyncio.create_task(ending, name=f"end of session {session_id}")
        self._endings[session_id] = task
        task.add_done_callback(ended)

    async def _retire(self, held: Held, session: LiveSession) -> None:
        """An admin wants it disconnected or logged out: do so, say so, and give it back."""
        await self._halt(held.session_id)
        with told(held):
            if held.desired_state is DesiredState.LOGGED_OUT:
                self._sessions[held.session_id] = session  # it may have to connect for that, and hear of it
                try:
                    await session.logout()
                finally:
                    del self._sessions[held.session_id]
            else:
                await session.close()
                await self._registry.report(held, status="disconnected")
            await self._release(held)

    async def reconnect(self, session_id: UUID) -> None:
        """Close a session in order and begin it anew at once, also one that backs off or shows a QR.

        Raises HeraldError if this worker does not serve it.
        """
        session = self._sessions.get(session_id)
        if session is None or session.ending or session_id in self._endings:
            raise HeraldError("This account is not being served. Look at its status; if it is off, press connect.")
        self._end(session_id, self._begin_anew(session))
        await asyncio.wait([self._endings[session_id]])  # whoever asked may give up; it is done all the same

    async def _begin_anew(self, session: LiveSession) -> None:
        """The lease stays, and so does the wish: if this process dies, the next holder opens the account."""
        held = session.held
        await self._halt(held.session_id)
        with told(held):
            await self._registry.report(held, status=SessionStatus.CONNECTING)  # nothing is claimed for it now
        await self._ledger.until_settled(held.session_id, DRAIN_SECONDS)
        with told(held):
            await session.close()
        if self._stopping:
            with told(held):
                await self._release(held)
        elif held.session_id in self._leases:
            self._start(held)

    def _make(self, held: Held) -> LiveSession:
        store = LiveStore(
            held, self._state_dir / str(held.session_id), self._registry, self._transport, self._keyring
        )
        return LiveSession(
            held,
            lease=self._leases[held.session_id],
            store=store,
            registry=self._registry,
            outbox=self._outbox,
            transport=self._transport,
            ledger=self._ledger,
            wake=self._wake,
            qr_window=self._qr_window,
            rng=self._rng,
        )

    def _start(self, held: Held) -> None:
        session = self._make(held)
        self._sessions[held.session_id] = session
        task = asyncio.create_task(self._run(session), name=f"session {held.session_id}")
        self._runs[held.session_id] = task

    async def _run(self, session: LiveSession) -> None:
        held = session.held
        while True:
            try:
                await session.run()
            except LostLease:
                await session.abandon()
            except HeraldError as error:
                # Supabase or the engine is away: close, wait for a heartbeat's time, begin again from the store.
                log.warning("session_restarts", session_id=str(held.session_id), error=error)
                with suppress(HeraldError):
                    await session.abandon()
                await asyncio.sleep(2.0)
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

        async def abandon(session: LiveSession) -> None:
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
            # Not for ever: if its row could not be written, it has begun again.
            await asyncio.wait([self._runs[session_id]], timeout=DRAIN_SECONDS)
        if (session := self._sessions.get(session_id)) is None:
            return  # lost, or ended by itself meanwhile
        with told(session.held):
            await self._halt(session_id)
            await session.close()
            await self._release(session.held)

    async def _release(self, held: Held) -> None:
        """Give it back when what came of its last sends is written: without the lease that is not allowed."""
        await self._ledger.until_settled(held.session_id, SETTLE_SECONDS)
        await self._registry.release(held)


@contextmanager
def told(held: Held) -> Iterator[None]:
    """Log what Supabase or the engine refused and go on: the next heartbeat sets it right."""
    try:
        yield
    except HeraldError as error:
        log.warning("session_step_failed", session_id=str(held.session_id), error=error)
