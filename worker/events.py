"""The facts that a provider tells: connections that begin and end, receipts, messages from others."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from worker.session import Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class QrShown:
    """A QR to scan; text is a key to the account: never logged."""

    session_id: UUID
    text: str = field(repr=False)
    seconds: float  #: valid for


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """Logged in. jid and lid without the device part; phone in E.164."""

    session_id: UUID
    jid: str
    lid: str | None
    phone: str
    display_name: str | None
    newly_paired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The connection is gone. retry: the session may be opened again without a person."""

    session_id: UUID
    ending: Ending
    detail: str = ""
    retry: bool = True
    seconds: float | None = None  #: how long a ban lasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Someone's device confirmed messages of ours.

    type: ``delivered``, ``read``, ``played`` from a recipient; ``sender`` from the account's own other devices.
    """

    session_id: UUID
    wa_message_ids: tuple[str, ...]
    chat: str  #: JID
    participant: str | None  #: who confirms, JID without device; None: our own device
    type: str
    at: datetime
    lid: str | None = None  #: of the participant, if they may have confirmed under it before


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message from someone else; its text is theirs: never logged."""

    session_id: UUID
    wa_message_id: str
    chat: str
    sender: str
    from_me: bool
    kind: str
    text: str = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFact:
    """The journal says that WhatsApp acknowledged this claim's send; a daemon that died could not settle it."""

    session_id: UUID
    token: UUID
    wa_message_id: str
    at: datetime

    def as_receipt(self) -> Receipt:
        """Say it as a receipt, which waits in the database for its message."""
        return Receipt(
            session_id=self.session_id,
            wa_message_ids=(self.wa_message_id,),
            chat="",
            participant=None,
            type="sender",
            at=self.at,
        )


#: Facts about the connection of one session.
SessionEvent = QrShown | Connected | Ended

Event = QrShown | Connected | Ended | Receipt | Inbound | SentFact

#: Called for every event of a session in order. The number is its place in the journal (0: not journalled).
#: Must not raise.
EventSink = Callable[[Event, int], Awaitable[None]]
