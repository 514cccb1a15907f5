"""A message and its life: statuses, legal steps, and the claim under which one worker may send it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from worker.session import ProviderName


class MessageStatus(StrEnum):
    """The statuses of ``scheduled_whatsapp_messages``."""

    PENDING = "pending"  #: waiting for its time, a limit or a person
    SENDING = "sending"  #: claimed; only the holder of the claim may settle it
    SENT = "sent"  #: the provider took it
    DELIVERED = "delivered"  #: a recipient's device has it (group: the first member's)
    READ = "read"  #: a recipient read it (group: the first member)
    FAILED = "failed"  #: refused, expired, suppressed, or its attempts are used up
    CANCELLED = "cancelled"  #: a person took it back before it was sent
    IN_DOUBT = "in_doubt"  #: may have left before a crash; waits for evidence, never resent blindly


_S = MessageStatus

#: Every legal step. SQL enforces the same table (herald.message_status_steps); a property test walks both.
NEXT: Mapping[MessageStatus, frozenset[MessageStatus]] = {
    _S.PENDING: frozenset({_S.SENDING, _S.SENT, _S.CANCELLED, _S.FAILED}),
    _S.SENDING: frozenset({_S.SENT, _S.FAILED, _S.PENDING, _S.IN_DOUBT}),
    _S.IN_DOUBT: frozenset({_S.SENT, _S.PENDING, _S.FAILED}),
    _S.SENT: frozenset({_S.DELIVERED, _S.READ, _S.FAILED, _S.PENDING}),
    _S.DELIVERED: frozenset({_S.READ}),
    _S.READ: frozenset(),
    _S.FAILED: frozenset({_S.PENDING, _S.SENT}),
    _S.CANCELLED: frozenset(),
}


def seconds_until_due(row: Mapping[str, Any], at: str) -> float:
    """Seconds from ``at`` (database time) until a row of the queue is due; 0 if it is, or if the row does not say.

    The row may lack columns, as Realtime leaves them out of large ones.
    """
    try:
        moment = datetime.fromisoformat(at)
        times = [row[name] for name in ("scheduled_for", "next_attempt_at") if row.get(name)]
        return max([0.0, *((datetime.fromisoformat(time) - moment).total_seconds() for time in times)])
    except (TypeError, ValueError):
        return 0.0


class MessageKind(StrEnum):
    """What a message carries, as ``herald.claim_bodies`` names it. Each provider says which ones it can send."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    DOCUMENT = "document"
    AUDIO = "audio"
    VOICE = "voice"
    LOCATION = "location"
    CONTACT = "contact"
    POLL = "poll"
    REACTION = "reaction"
    REPLY = "reply"
    MENTION = "mention"
    EDIT = "edit"
    DELETE = "delete"
    UNKNOWN = "unknown"  #: newer than this worker: a database is migrated before its workers are upgraded

    @classmethod
    def _missing_(cls, value: object) -> "MessageKind":  # noqa: ARG003 - Enum's signature
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class WebTrace:
    """How a message that went to WhatsApp Web is found again after a crash.

    secret: 32 bytes that the provider puts into the message; the store keeps them with the message's id.
    incarnation: the live store at the time of the claim; only there does a missing secret mean "not sent".
    former_token: set if the claim was taken over from a dead holder: look the message up, never send it.
    """

    secret: bytes = field(repr=False)
    incarnation: UUID
    former_token: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A message that this worker alone may send until the claim ends.

    token: fences every write about it.  until: database time, UTC.
    """

    message_id: UUID
    token: UUID
    organization_id: UUID
    session_id: UUID
    provider: ProviderName
    until: datetime
    to: str  #: a group's JID (…@g.us), a person's number in E.164 (+49…), or their JID or LID
    kind: MessageKind
    text: str = field(repr=False)
    media_url: str | None = field(default=None, repr=False)
    attempt: int = 1
    trace: WebTrace | None = None  #: None: the account has no web store
