"""WhatsApp Web accounts, spread over several engine processes so that the loss of one touches few of them."""

import asyncio
import base64
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from worker.engine.framing import Frame
from worker.engine.protocol import Call, Code
from worker.errors import EngineError, EngineRefused, ProviderError
from worker.events import Connected, Ended, EventSink, QrShown
from worker.message import Claim, MessageKind, WebTrace
from worker.outcome import Accepted, Outcome
from worker.providers.web.events import Teller, event_of, time_of
from worker.providers.web.groups import CUT_OFF, GroupCalls, refused
from worker.providers.web.outcomes import MOVING, NOT_MIGRATED, NOT_OPEN, after_death, outcome_of
from worker.providers.web.shards import Shard, ShardLimits, Shards
from worker.providers.web.stores import StoreCalls
from worker.session import Ending

log = structlog.get_logger()

#: How much longer than the engine's own limit a send may take, seconds.
SEND_SLACK = 10.0

#: Opening waits up to 15 s for a dying predecessor's lock, closing a few seconds for a start before it.
LIFE_TIMEOUT = 30.0

#: Questions to the provider: the library gives up after 75 s.
ASK_TIMEOUT = 80.0

#: Questions to a store, seconds.
STORE_TIMEOUT = 20.0

#: How often the engines' memory is looked at, and how long a moved session may take to come back, seconds.
MEMORY_SECONDS, MOVE_SECONDS = 10.0, 15.0


class WhatsAppWeb(GroupCalls, StoreCalls):
    """The provider of WhatsApp Web: Provider, Groups, and the ports of ``worker.providers.web.ports``.

    command: ENGINE_COMMAND, to which the state folder is appended. sink: gets each session's events in order.
    """

    kinds = frozenset({MessageKind.TEXT, MessageKind.IMAGE})

    def __init__(
        self,
        command: Sequence[str],
        state_dir: Path,
        sink: EventSink,
        limits: ShardLimits | None = None,
    ) -> None:
        self._state_dir = state_dir
        self._limits = limits or ShardLimits()
        self._shards = Shards(command, state_dir, self._limits, self._heard, self._lost)
        self._changing: set[UUID] = set()  #: opening or closing: the caller learns of a death, not the sink
        self._moving: set[UUID] = set()
        self._awaited: dict[UUID, asyncio.Future[None]] = {}  #: moved, and not connected yet
        self._sending: dict[UUID, int] = {}
        self._sent = asyncio.Event()
        self._teller = Teller(sink)
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- life of the provider

    async def start(self) -> None:
        """Start the first engine; EngineError if ENGINE_COMMAND does not work."""
        await self._shards.start()
        self._background(self._watch_memory())

    async def aclose(self) -> None:
        """Stop all engines; journalled events that we did not acknowledge come again after the next open."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._shards.aclose()
        await self._teller.finish()

    def _background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def store_path(self, session_id: UUID) -> Path:
        """Name the file of a session's live store."""
        return self._state_dir / str(session_id) / "store.db"

    @property
    def engine_pids(self) -> dict[int, int]:
        """The engines that run, by process id, and how many sessions each holds."""
        return self._shards.sizes

    # ---- events

    def _heard(self, frame: Frame) -> None:
        try:
            event, sequence = event_of(frame)
        except (KeyError, TypeError, ValueError):
            log.exception("engine_event_unreadable")
            return
        match event:
            case Ended():
                self._shards.forget(event.session_id)
            case Connected() | QrShown():
                self._shards.suspects.opened(event.session_id)
                if (back := self._awaited.get(event.session_id)) and not back.done():
                    back.set_result(None)
        self._teller.tell(event, sequence)

    def _lost(self, sessions: list[UUID]) -> None:
        for session_id in sessions:
            if session_id not in self._changing:
                self._tell_end(session_id, "the engine ended")

    def _tell_end(self, session_id: UUID, detail: str) -> None:
        self._teller.tell(Ended(session_id=session_id, ending=Ending.ENGINE, detail=detail), 0)

    # ---- sessions

    async def open(self, session_id: UUID, store: str, deadline: float) -> None:
        """Start the session on its live store (which must be ``store_path``) in an engine; CrashLoop: not yet."""
        if Path(store) != self.store_path(session_id):
            raise ValueError("a session's store lies at store_path")
        shard = await self._shards.place(session_id)
        try:
            await self._live(shard, Call.OPEN, session_id, deadline=deadline)
        except EngineError:
            self._shards.forget(session_id)
            raise

    async def close(self, session_id: UUID) -> None:
        """Stop the session. Idempotent; an engine that does not stop it is killed."""
        shard = self._shards.where.get(session_id)
        if shard is None:
            return
        try:
            await self._live(shard, Call.CLOSE, session_id)
        except EngineError:
            log.warning("engine_ended_at_close", session_id=str(session_id))
        self._shards.forget(session_id)

    async def _live(self, shard: Shard, call: Call, session_id: UUID, **arguments: Any) -> None:
        self._changing.add(session_id)
        try:
            await shard.call(call, timeout=LIFE_TIMEOUT, session=str(session_id), **arguments)
        except EngineRefused:
            raise
        except EngineError:
            await shard.kill_and_wait()
            raise
        finally:
            self._changing.discard(session_id)

    async def logout(self, session_id: UUID) -> None:
        """Unlink the device at the provider, then close; ProviderError if WhatsApp did not confirm it."""
        await self._ask(Call.LOGOUT, session_id)
        self._shards.forget(session_id)

    async def pairing_code(self, session_id: UUID, phone: str) -> str:
        """Ask for an 8-character code to type on the phone, while the session shows a QR."""
        return str((await self._ask(Call.PAIRING_CODE, session_id, phone=phone))["code"])

    async def _ask(self, call: Call, session_id: UUID, **arguments: Any) -> Frame:
        shard = self._shards.where.get(session_id)
        if shard is None:
            raise refused(EngineRefused(Code.NOT_OPEN))
        try:
            return await shard.call(call, timeout=ASK_TIMEOUT, session=str(session_id), **arguments)
        except EngineRefused as refusal:
            raise refused(refusal) from None
        except EngineError:
            raise ProviderError(CUT_OFF) from None

    # ---- sending

    async def send(self, claim: Claim, media: bytes | None = None) -> Outcome:
        """Send once. Never raises for what the provider does: that is the outcome."""
        shard, session_id = self._shards.where.get(claim.session_id), claim.session_id
        if claim.trace is None:
            return NOT_MIGRATED
        if session_id in self._moving:
            return MOVING
        if shard is None:
            return NOT_OPEN
        self._sending[session_id] = self._sending.get(session_id, 0) + 1
        try:
            return await self._send(shard, claim, claim.trace, media)
        finally:
            self._sending[session_id] -= 1
            if not self._sending[session_id]:
                del self._sending[session_id]
            self._sent.set()

    async def _send(self, shard: Shard, claim: Claim, trace: WebTrace, media: bytes | None) -> Outcome:
        try:
            sent = await shard.call(
                Call.SEND,
                timeout=self._limits.send_seconds + SEND_SLACK,
                session=str(claim.session_id),
                token=str(claim.token),
                to=claim.to,
                kind=claim.kind.value,
                text=claim.text,
                secret=base64.b64encode(trace.secret).decode(),
                **({"media": base64.b64encode(media).decode()} if media is not None else {}),
            )
        except EngineRefused as refusal:
            return outcome_of(refusal)
        except EngineError:
            # It died, or hangs and is killed: its store outlives it and knows whether the message left.
            hung = shard.alive
            await shard.kill_and_wait()
            try:
                found = await self.lookup(claim.session_id, trace.secret)
            except EngineError:
                return after_death(None)
            return after_death(found, by_itself=hung or shard.crashed)
        return Accepted(wa_message_id=sent["wa_message_id"], at=time_of(sent["at"]))

    # ---- stores, leases, memory

    async def _store(self, call: Call, session_id: UUID, **arguments: Any) -> Frame:
        shard = self._shards.where.get(session_id) or await self._shards.any()
        try:
            return await shard.call(call, timeout=STORE_TIMEOUT, session=str(session_id), **arguments)
        except EngineRefused:
            raise
        except EngineError:
            if shard.alive:
                raise
            # It died. Stores outlive engines, and these calls may be repeated.
            shard = await self._shards.any()
            return await shard.call(call, timeout=STORE_TIMEOUT, session=str(session_id), **arguments)

    def extend_lease(self, deadlines: Mapping[UUID, float]) -> None:
        """Move the deadlines at which the engines close these sessions by themselves."""
        by_shard: dict[Shard, dict[UUID, float]] = {}
        for session_id, deadline in deadlines.items():
            if (shard := self._shards.where.get(session_id)) is not None:
                by_shard.setdefault(shard, {})[session_id] = deadline
        for shard, told in by_shard.items():
            self._background(self._extend(shard, told))

    async def _extend(self, shard: Shard, deadlines: dict[UUID, float]) -> None:
        """Tell an engine. If it has not read that in time, it hangs, and its sessions must close."""
        timeout = max(min(deadlines.values()) - time.monotonic(), 1.0)
        sessions = {str(session_id): deadline for session_id, deadline in deadlines.items()}
        try:
            await shard.call(Call.LEASE, timeout=timeout, sessions=sessions)
        except EngineError:
            if shard.alive:
                log.warning("engine_hangs", pid=shard.pid)
                shard.kill()

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(MEMORY_SECONDS)
            await self.check_memory()

    async def check_memory(self) -> None:
        """Kill engines that are far too large, and empty those that are too large, one session after the other."""
        for shard in self._shards.too_large():
            for session_id in list(shard.sessions):
                await self._move(session_id, shard)

    async def _move(self, session_id: UUID, shard: Shard) -> None:
        """Have a session open again in another engine, between two sends; returns when it has, or is too slow."""
        self._moving.add(session_id)
        try:
            while session_id in self._sending:
                self._sent.clear()
                await self._sent.wait()
            if self._shards.where.get(session_id) is not shard or session_id in self._changing:
                return
            back = self._awaited[session_id] = asyncio.get_running_loop().create_future()
            await self.close(session_id)
            self._tell_end(session_id, "moved")
        finally:
            self._moving.discard(session_id)
        await asyncio.wait([back], timeout=MOVE_SECONDS)
        self._awaited.pop(session_id, None)

    async def acknowledge(self, session_id: UUID, sequence: int) -> None:
        """Everything up to this journalled event is safe in the database."""
        if sequence and (shard := self._shards.where.get(session_id)) is not None:
            await _quietly(shard.call(Call.ACK, timeout=STORE_TIMEOUT, session=str(session_id), seq=sequence))


async def _quietly(call: Any) -> None:
    """Ignore an engine that is gone: Ended was told, and what was not acknowledged comes again."""
    try:
        await call
    except EngineError:
        log.debug("engine_gone")
