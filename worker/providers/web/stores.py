"""What an engine reads in live stores and journals: traces of sends, copies, unacknowledged events."""

import base64
from abc import ABC, abstractmethod
from typing import Any
from uuid import UUID

from worker.engine.framing import Frame
from worker.engine.protocol import Call
from worker.errors import EngineError
from worker.events import Event
from worker.providers.web.events import event_of
from worker.providers.web.ports import Unsent, Written


class StoreCalls(ABC):
    """The part of the provider that asks stores, open or not. Calls raise EngineError."""

    @abstractmethod
    async def _store(self, call: Call, session_id: UUID, **arguments: Any) -> Frame:
        """Call an engine that can read the session's store."""

    async def lookup(self, session_id: UUID, secret: bytes) -> Unsent | Written:
        """Tell whether a message with this secret was written before it left."""
        found = await self._store(Call.LOOKUP, session_id, secret=base64.b64encode(secret).decode())
        wa_id = found["wa_message_id"]
        return Written(wa_id) if wa_id else Unsent()

    async def snapshot(self, session_id: UUID, *, ratchets: bool) -> bytes:
        """Copy the store consistently; no bytes if there is none yet. ratchets: all of it."""
        return base64.b64decode((await self._store(Call.SNAPSHOT, session_id, ratchets=ratchets))["store"])

    async def fingerprint(self, session_id: UUID) -> str:
        """Digest what the loss of this host must not lose; sends and receptions leave it as it is."""
        return str((await self._store(Call.FINGERPRINT, session_id))["fingerprint"])

    async def forget_ratchets(self, session_id: UUID) -> None:
        """Make an older copy of a closed store safe to open: its ratchets are negotiated again."""
        await self._store(Call.FORGET_RATCHETS, session_id)

    async def journalled(self, session_id: UUID) -> list[Event]:
        """Read the events that nobody acknowledged; they stay in the journal."""
        frames = (await self._store(Call.JOURNALLED, session_id))["events"]
        try:
            return [event_of(frame)[0] for frame in frames]
        except (KeyError, TypeError, ValueError) as error:
            raise EngineError(f"a journal holds what is no event ({type(error).__name__})") from error
