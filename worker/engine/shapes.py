"""The fields of the protocol's calls, answers and events (docs/engine-protocol.md).

Times are seconds since 1970 (UTC), durations are seconds, deadlines are seconds on ``CLOCK_MONOTONIC``, people are
JIDs or numbers in E.164, bytes are base64 text. The type checker holds the engine's answers and events to these
types; the engine refuses a call that lacks an argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from worker.engine.framing import Frame
from worker.engine.protocol import Call, EventName

# ---- answers


class Nothing(TypedDict):
    """The answer of a call that was done and has nothing to tell."""


class Hello(TypedDict):
    protocol: int
    engine: str  #: the library and its version
    pid: int


class Opened(TypedDict):
    incarnation: str


class Sent(TypedDict):
    wa_message_id: str
    at: float


class Found(TypedDict):
    wa_message_id: str | None


class PairingCode(TypedDict):
    code: str


class Group(TypedDict):
    jid: str
    name: str
    participants: int
    is_admin: bool
    announce_only: bool


class Member(TypedDict):
    phone: str | None
    lid: str | None
    is_admin: bool
    is_me: bool


class GroupDetail(Group):
    description: str
    locked: bool
    members: list[Member]


class Groups(TypedDict):
    groups: list[Group]


class GroupInfo(TypedDict):
    group: GroupDetail


class Outcome(TypedDict):
    who: str  #: as the caller named them
    error: int  #: 0: done; otherwise WhatsApp's number


class Outcomes(TypedDict):
    outcomes: list[Outcome]


class Created(TypedDict):
    jid: str
    outcomes: list[Outcome]


class InviteLink(TypedDict):
    link: str


class Snapshot(TypedDict):
    store: str


class Fingerprint(TypedDict):
    fingerprint: str


class Journalled(TypedDict):
    events: list[Frame]


# ---- events


class Qr(TypedDict):
    text: str
    seconds: float


class Connected(TypedDict):
    jid: str
    lid: str | None
    phone: str
    name: str | None
    paired: bool  #: in this opening


class Ended(TypedDict):
    ending: str  #: one of ENDINGS
    detail: str
    retry: bool  #: may be opened again without a person
    seconds: float | None  #: how long a ban lasts


class Receipt(TypedDict):
    ids: list[str]
    chat: str
    participant: str | None
    lid: str | None  #: the participant's, in a group, if they are named by number
    type: str  #: a ReceiptType
    at: float


class Message(TypedDict):
    wa_message_id: str
    chat: str
    sender: str
    from_me: bool
    kind: str  #: an InboundKind
    text: str | bytes  #: bytes: not UTF-8; ``framing.plain`` makes it text
    at: float


class SentEvent(TypedDict):
    token: str
    wa_message_id: str
    at: float


#: What an event's frame holds beside `event`, `session` and `seq`.
EVENTS: Mapping[EventName, Any] = {
    EventName.QR: Qr,
    EventName.CONNECTED: Connected,
    EventName.ENDED: Ended,
    EventName.RECEIPT: Receipt,
    EventName.MESSAGE: Message,
    EventName.SENT: SentEvent,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A call's arguments and the type of its answer."""

    arguments: tuple[str, ...]
    answer: Any
    optional: tuple[str, ...] = ()

    def missing(self, frame: Frame) -> list[str]:
        """Name the arguments that a request lacks."""
        return [name for name in self.arguments if name not in frame]


CALLS: Mapping[Call, Shape] = {
    Call.HELLO: Shape(("send_seconds",), Hello),
    Call.OPEN: Shape(("session", "deadline"), Opened),
    Call.CLOSE: Shape(("session",), Nothing),
    Call.LOGOUT: Shape(("session",), Nothing),
    Call.SEND: Shape(("session", "token", "to", "kind", "text", "secret"), Sent, optional=("media",)),
    Call.LOOKUP: Shape(("session", "secret"), Found),
    Call.PAIRING_CODE: Shape(("session", "phone"), PairingCode),
    Call.GROUPS: Shape(("session",), Groups),
    Call.GROUP_INFO: Shape(("session", "group"), GroupInfo),
    Call.CREATE_GROUP: Shape(("session", "subject", "people"), Created),
    Call.GROUP_MEMBERS: Shape(("session", "group", "change", "people"), Outcomes),
    Call.GROUP_SETTING: Shape(("session", "group", "setting", "value"), Nothing),
    Call.INVITE_LINK: Shape(("session", "group"), InviteLink, optional=("reset",)),
    Call.SNAPSHOT: Shape(("session", "ratchets"), Snapshot),
    Call.FINGERPRINT: Shape(("session",), Fingerprint),
    Call.FORGET_RATCHETS: Shape(("session",), Nothing),
    Call.LEASE: Shape(("sessions",), Nothing),
    Call.JOURNALLED: Shape(("session",), Journalled),
    Call.ACK: Shape(("session", "seq"), Nothing),
}
