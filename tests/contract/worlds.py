"""The providers that the conformance suite (test_conformance.py) runs against, each in a world of its own.

To add a provider: write a class with the names of ``ProviderWorld``, a function like ``web`` that starts it on a
simulated WhatsApp, and a row in ``WORLDS``. What the suite then refuses is a fault of the provider: the
dispatcher, the ledger and the recovery after a crash rely on each of these promises.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

from simulator.client import Simulator
from simulator.faults import FaultKind
from tests.kit.phones import new_phone
from tests.kit.web_world import Events, WebWorld
from worker.events import Receipt
from worker.message import Claim, MessageKind
from worker.ports import Provider
from worker.session import ProviderName


@dataclass(frozen=True)
class Sample:
    """A message of one kind: its text or caption, and its file."""

    text: str
    media: bytes | None = None

    @property
    def sha256(self) -> str | None:
        return hashlib.sha256(self.media).hexdigest() if self.media is not None else None


PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8

#: One message of each kind that some provider sends. A provider with a new kind needs a row here.
SAMPLES: Mapping[MessageKind, Sample] = {
    MessageKind.TEXT: Sample("Töpfern ☕ at 7 pm"),
    MessageKind.IMAGE: Sample("the first bowl", PNG),
}


class ProviderWorld(Protocol):
    """A provider that has started, and the WhatsApp behind it. People are of ``simulator.client.Recipient``."""

    name: ProviderName
    events: Events  #: everything that the provider tells

    @property
    def provider(self) -> Provider:
        """The provider under test."""

    async def account(self) -> UUID:
        """Make an account that can send; its session."""

    async def disconnect(self, session_id: UUID) -> None:
        """Make the account unable to send until further notice."""

    async def cut_in_next_send(self, session_id: UUID) -> None:
        """Have the connection break after the account's next message reached WhatsApp, before its answer."""

    async def receipt(self, wa_message_id: str, kind: str) -> Receipt:
        """Wait until the provider tells of such a receipt."""

    def claim(self, session_id: UUID, to: str, text: str, kind: MessageKind = MessageKind.TEXT) -> Claim:
        """Make a claim as the database hands it out for this provider."""

    def unreachable(self) -> str:
        """Name a recipient that WhatsApp refuses for good."""


class Web(WebWorld):
    """WhatsApp Web, on the simulator."""

    name = ProviderName.WEB

    def __init__(self, simulator: Simulator, state_dir: Path) -> None:
        super().__init__(simulator, state_dir)
        self._phones: dict[UUID, str] = {}

    async def account(self) -> UUID:
        phone = new_phone()
        session_id = await self.link(phone)
        self._phones[session_id] = phone
        return session_id

    async def disconnect(self, session_id: UUID) -> None:
        await self.provider.close(session_id)

    async def cut_in_next_send(self, session_id: UUID) -> None:
        await self.simulator.fault(FaultKind.DROP_PROCESSED, self._phones[session_id], count=1)

    def unreachable(self) -> str:
        return f"+{new_phone()}"  # nobody has registered it


@asynccontextmanager
async def web(simulator: Simulator, state_dir: Path) -> AsyncIterator[ProviderWorld]:
    """WhatsApp Web with one engine process."""
    world = Web(simulator, state_dir)
    await world.provider.start()
    try:
        yield world
    finally:
        await world.provider.aclose()


Start = Callable[[Simulator, Path], AbstractAsyncContextManager[ProviderWorld]]

WORLDS: Mapping[ProviderName, Start] = {ProviderName.WEB: web}
