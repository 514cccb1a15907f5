"""What only WhatsApp Web has: a linked device whose state lies in a live store on this host.

Small ports. The session code of web accounts uses them (worker/sessions/, worker/vault/live_store.py), and
worker/providers/web/provider.py implements them. The dispatcher knows none of them. Calls raise EngineError when
an engine process ends or refuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from worker.events import Event
from worker.ports import Groups


class Unsent:
    """Lookup: this store never wrote the secret, so the message did not leave."""


@dataclass(frozen=True, slots=True)
class Written:
    """Lookup: the store has the secret; the message may have left under this id."""

    wa_message_id: str


class Connections(Protocol):
    """Sessions on their live stores."""

    async def open(self, session_id: UUID, store: str, deadline: float) -> None:
        """Start the session; QrShown, Connected or Ended follow as events. CrashLoop: it has to wait.

        store: the path of its SQLite file.  deadline: on ``time.monotonic()``; the session closes by itself then
        unless ``extend_lease`` moves it.
        """

    async def close(self, session_id: UUID) -> None:
        """Stop the session; its store is consistent on disk when this returns. Idempotent."""

    async def logout(self, session_id: UUID) -> None:
        """Unlink the device at WhatsApp, then close; ProviderError if WhatsApp did not confirm it."""

    async def pairing_code(self, session_id: UUID, phone: str) -> str:
        """Ask for an 8-character code to type on the phone (E.164), while the session shows a QR."""

    def extend_lease(self, deadlines: Mapping[UUID, float]) -> None:
        """Move the deadlines at which these sessions close by themselves; returns at once, whatever hangs."""


class Traces(Protocol):
    """Evidence about a send in the live store."""

    async def lookup(self, session_id: UUID, secret: bytes) -> Unsent | Written:
        """Tell whether a message with this secret was written before it left, open or not."""


class Copies(Protocol):
    """Copies of live stores, open or not."""

    async def snapshot(self, session_id: UUID, *, ratchets: bool) -> bytes:
        """Copy the store consistently, as bytes of a SQLite database; no bytes if there is none yet.

        ratchets: all of it, to be opened as it is; otherwise only after ``forget_ratchets``, and far smaller.
        """

    async def fingerprint(self, session_id: UUID) -> str:
        """Digest what the loss of this host must not lose; sends and receptions leave it as it is."""

    async def forget_ratchets(self, session_id: UUID) -> None:
        """Make an older copy of a closed store safe to open; needed unless nothing was sent since it was taken."""


class Journals(Protocol):
    """The events that engines wrote down before they sent them."""

    async def journalled(self, session_id: UUID) -> list[Event]:
        """Read the events of a session that nobody acknowledged, open or not; they stay there."""

    async def acknowledge(self, session_id: UUID, sequence: int) -> None:
        """Everything up to this journalled event is safe in the database."""


class WebAccounts(Connections, Traces, Copies, Groups, Protocol):
    """All that a web account's session asks."""
