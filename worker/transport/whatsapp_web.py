"""WhatsApp Web accounts, spread over several engine processes so that the loss of one touches few of them."""

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from worker.engine.framing import Frame
from worker.errors import EngineError, ProviderError
from worker.message import Claim, MessageKind
from worker.outcome import Accepted, Indeterminate, Outcome, Unavailable
from worker.session import Ending
from worker.transport import Ended, EventSink, Group, Unsent, Written
from worker.transport.engine_process import EngineProcess, EngineRefusal
from worker.transport.whatsapp_web_events import Teller, event_of, time_of
from worker.transport.whatsapp_web_outcomes import outcome_of

log = structlog.get_logger()

#: A send's time in all, seconds: the engine ends one that hangs after 100.
SEND_TIMEOUT = 110.0

#: Opening waits up to 15 s for a dying predecessor's lock, closing a few seconds for a start before it.
LIFE_TIMEOUT = 30.0

#: Questions to the provider: the library gives up after 75 s.
ASK_TIMEOUT = 80.0

#: Questions to a store, seconds.
STORE_TIMEOUT = 20.0

#: A session's first lease where nobody shares sessions, seconds.
FIRST_LEASE = 60.0


#: An engine takes no new sessions after so many openings, and ends when it is empty: each leaves 0.4 MiB and 1.5
#: descriptors behind (measured).
RETIRE_AFTER = 200


class Shard(EngineProcess):
    """An engine and the sessions that it holds."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sessions: set[UUID] = set()
        self.opened = 0  #: how many openings it has seen


class WhatsAppWeb:
    """A Transport over engine processes of ``shard_size`` sessions at most.

    command: ENGINE_COMMAND, to which the state folder is appended. sink: gets each session's events in order.
    first_lease: seconds that a session stays open unless ``extend_lease`` is called.
    """

    kinds = frozenset({MessageKind.TEXT, MessageKind.IMAGE})

    def __init__(
        self,
        command: Sequence[str],
        state_dir: Path,
        sink: EventSink,
        shard_size: int = 25,
        first_lease: float = FIRST_LEASE,
    ) -> None:
        self._command = list(command)
        self._state_dir = state_dir
        self._shard_size = shard_size
        self._first_lease = first_lease
        self._shards: list[Shard] = []
        self._where: dict[UUID, Shard] = {}
        self._placing = asyncio.Lock()
        self._changing: set[UUID] = set()  #: being opened or closed: the caller learns of a death, not the sink
        self._teller = Teller(sink)
        self._closed = False

    # ---- life of the transport

    async def start(self) -> None:
        """Start the first engine; EngineError if ENGINE_COMMAND does not work."""
        async with self._placing:
            await self._start_shard()

    async def aclose(self) -> None:
        """Stop all engines; what they journalled and we did not acknowledge is told again after the next open."""
        self._closed = True
        await asyncio.gather(*(shard.stop() for shard in list(self._shards)))
        await self._teller.finish()

    def store_path(self, session_id: UUID) -> Path:
        """Name the file of a session's live store."""
        return self._state_dir / str(session_id) / "store.db"

    @property
    def engine_pids(self) -> dict[int, int]:
        """The engines that run, by process id, and how many sessions each holds."""
        return {shard.pid: len(shard.sessions) for shard in self._shards}

    async def _start_shard(self) -> Shard:
        if self._closed:
            raise EngineError("the transport is closed")
        shard = Shard(self._command, self._state_dir, self._heard, self._died)
        await shard.start()
        self._shards.append(shard)
        return shard

    def _died(self, process: EngineProcess) -> None:
        shard = next((one for one in self._shards if one is process), None)
        if shard is None:
            return
        self._shards.remove(shard)
        for session_id in [one for one, where in self._where.items() if where is shard]:
            del self._where[session_id]
            if not self._closed and session_id not in self._changing:
                self._teller.tell(Ended(session_id=session_id, ending=Ending.LOST, detail="the engine ended"), 0)

    async def _any_shard(self) -> Shard:
        async with self._placing:
            return next((one for one in self._shards if one.alive), None) or await self._start_shard()

    # ---- events

    def _heard(self, frame: Frame) -> None:
        try:
            event, sequence = event_of(frame)
        except (KeyError, TypeError, ValueError):
            log.exception("engine_event_unreadable")
            return
        if isinstance(event, Ended):
            self._forget(event.session_id)
        self._teller.tell(event, sequence)

    def _forget(self, session_id: UUID) -> None:
        shard = self._where.pop(session_id, None)
        if shard is not None:
            shard.sessions.discard(session_id)
            if shard.opened >= RETIRE_AFTER and not shard.sessions:
                shard.end_input()

    def _has_room(self, shard: Shard) -> bool:
        return shard.alive and len(shard.sessions) < self._shard_size and shard.opened < RETIRE_AFTER

    # ---- sessions

    async def open(self, session_id: UUID, store: str) -> None:
        """Start the session on its live store (which must be ``store_path``) in the least loaded engine."""
        if Path(store) != self.store_path(session_id):
            raise ValueError("a session's store lies at store_path")
        async with self._placing:
            if session_id in self._where:
                raise EngineError("the session is open already")
            free = [one for one in self._shards if self._has_room(one)]
            shard = min(free, key=lambda one: len(one.sessions)) if free else await self._start_shard()
            shard.sessions.add(session_id)
            shard.opened += 1
            self._where[session_id] = shard
        try:
            await self._live(shard, "open", session_id, lease=self._first_lease)
        except EngineError:
            self._forget(session_id)
            raise

    async def close(self, session_id: UUID) -> None:
        """Stop the session. Idempotent; an engine that does not stop it is killed."""
        shard = self._where.get(session_id)
        if shard is None:
            return
        try:
            await self._live(shard, "close", session_id)
        except EngineError:
            log.warning("engine_ended_at_close", session_id=str(session_id))
        self._forget(session_id)

    async def _live(self, shard: Shard, call: str, session_id: UUID, **arguments: Any) -> None:
        self._changing.add(session_id)
        try:
            await shard.call(call, timeout=LIFE_TIMEOUT, session=str(session_id), **arguments)
        except EngineRefusal:
            raise
        except EngineError:
            await shard.kill_and_wait()
            raise
        finally:
            self._changing.discard(session_id)

    async def logout(self, session_id: UUID) -> None:
        """Unlink the device at the provider, then close; ProviderError if WhatsApp could not be told."""
        await self._ask("logout", session_id)
        self._forget(session_id)

    async def pairing_code(self, session_id: UUID, phone: str) -> str:
        """Ask for an 8-character code to type on the phone, while the session shows a QR."""
        return str((await self._ask("pairing_code", session_id, phone=phone))["code"])

    async def groups(self, session_id: UUID) -> list[Group]:
        """List the groups that the account is in."""
        return [Group(**group) for group in (await self._ask("groups", session_id))["groups"]]

    async def invite_link(self, session_id: UUID, group_jid: str) -> str:
        """Fetch a group's invite link; ProviderError if the account is no admin there."""
        return str((await self._ask("invite_link", session_id, group=group_jid))["link"])

    async def _ask(self, call: str, session_id: UUID, **arguments: Any) -> Frame:
        shard = self._where.get(session_id)
        if shard is None:
            raise ProviderError("the session is not open")
        try:
            return await shard.call(call, timeout=ASK_TIMEOUT, session=str(session_id), **arguments)
        except EngineRefusal as refusal:
            raise ProviderError(f"{call}: {refusal}") from None

    # ---- sending

    async def send(self, claim: Claim, media: bytes | None = None) -> Outcome:
        """Send once. Never raises for what the provider does: that is the outcome."""
        shard = self._where.get(claim.session_id)
        if shard is None:
            return Unavailable(reason="not-open")
        try:
            sent = await shard.call(
                "send",
                timeout=SEND_TIMEOUT,
                session=str(claim.session_id),
                token=str(claim.token),
                to=claim.to,
                kind=claim.kind.value,
                text=claim.text,
                secret=base64.b64encode(claim.secret).decode(),
                **({"media": base64.b64encode(media).decode()} if media is not None else {}),
            )
        except EngineRefusal as refusal:
            return outcome_of(refusal)
        except EngineError:
            return await self._after_death(shard, claim)
        return Accepted(wa_message_id=sent["wa_message_id"], at=time_of(sent["at"]))

    async def _after_death(self, shard: Shard, claim: Claim) -> Outcome:
        """The engine died, or hangs and is killed: its store outlives it and knows whether the message left."""
        await shard.kill_and_wait()
        try:
            match await self.lookup(claim.session_id, claim.secret):
                case Written(wa_message_id=wa_id):
                    return Indeterminate(reason="the engine ended", wa_message_id=wa_id)
                case Unsent():
                    return Unavailable(reason="the engine ended")
        except EngineError:
            return Indeterminate(reason="the engine ended and the store can't be read")

    async def lookup(self, session_id: UUID, secret: bytes) -> Unsent | Written:
        """Ask the live store, open or not, whether a message with this secret was written before it left."""
        found = await self._store("lookup", session_id, secret=base64.b64encode(secret).decode())
        wa_id = found["wa_message_id"]
        return Written(wa_id) if wa_id else Unsent()

    # ---- stores, leases, journals

    async def snapshot(self, session_id: UUID) -> bytes:
        """Copy the live store, open or not, consistently; no bytes if there is none yet."""
        return base64.b64decode((await self._store("snapshot", session_id))["store"])

    async def forget_ratchets(self, session_id: UUID) -> None:
        """Make an older copy of a closed store safe to open: its ratchets are negotiated anew."""
        await self._store("forget_ratchets", session_id)

    async def _store(self, call: str, session_id: UUID, **arguments: Any) -> Frame:
        shard = self._where.get(session_id) or await self._any_shard()
        try:
            return await shard.call(call, timeout=STORE_TIMEOUT, session=str(session_id), **arguments)
        except EngineRefusal:
            raise
        except EngineError:
            if shard.alive:
                raise
            # It died; stores outlive engines, and these calls may be made twice.
            shard = await self._any_shard()
            return await shard.call(call, timeout=STORE_TIMEOUT, session=str(session_id), **arguments)

    async def extend_lease(self, session_ids: list[UUID], seconds: float) -> None:
        """Move the deadline at which the engines close these sessions by themselves."""
        by_shard: dict[Shard, dict[str, float]] = {}
        for session_id in session_ids:
            if (shard := self._where.get(session_id)) is not None:
                by_shard.setdefault(shard, {})[str(session_id)] = seconds
        await asyncio.gather(
            *(
                _quietly(shard.call("lease", timeout=STORE_TIMEOUT, sessions=told))
                for shard, told in by_shard.items()
            )
        )

    async def acknowledge(self, session_id: UUID, sequence: int) -> None:
        """Everything up to this journalled event is safe in the database."""
        if sequence and (shard := self._where.get(session_id)) is not None:
            await _quietly(shard.call("ack", timeout=STORE_TIMEOUT, session=str(session_id), seq=sequence))


async def _quietly(call: Any) -> None:
    """An engine that is gone has been told of as Ended; what was not acknowledged is told again."""
    try:
        await call
    except EngineError:
        log.debug("engine_gone")
