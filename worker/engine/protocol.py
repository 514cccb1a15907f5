"""Every word of docs/engine-protocol.md that both ends of the pipe use: states, calls, codes, events, frames.

The engine and the daemon's side (the WhatsApp Web provider) share this module and ``framing``, and nothing else of
the engine. ``shapes`` lists the fields of each call and event. A test compares both with the page.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from worker.engine.framing import Frame
from worker.session import Ending

#: The version that both ends must name in ``hello``.
VERSION = 3

#: The exit code of an engine that was itself stopped for longer than its leases lasted.
OVERSLEPT = 3


class State(StrEnum):
    """What an open session is doing. ``not-connected`` tells it as its detail."""

    CONNECTING = "connecting"
    LINKING = "linking"  #: shows a QR
    CONNECTED = "connected"
    LOST = "lost"  #: the library is reconnecting by itself
    CLOSED = "closed"


class Call(StrEnum):
    """What the daemon may ask; ``shapes.CALLS`` lists arguments and answers."""

    HELLO = "hello"
    OPEN = "open"
    CLOSE = "close"
    LOGOUT = "logout"
    SEND = "send"
    LOOKUP = "lookup"
    PAIRING_CODE = "pairing_code"
    GROUPS = "groups"
    GROUP_INFO = "group_info"
    CREATE_GROUP = "create_group"
    GROUP_MEMBERS = "group_members"
    GROUP_SETTING = "group_setting"
    INVITE_LINK = "invite_link"
    SNAPSHOT = "snapshot"
    FINGERPRINT = "fingerprint"
    FORGET_RATCHETS = "forget_ratchets"
    LEASE = "lease"
    JOURNALLED = "journalled"
    ACK = "ack"


class Code(StrEnum):
    """Why the engine did not do what a call asked for."""

    NOT_OPEN = "not-open"  #: the session is not open; a send surely did not leave
    NOT_CONNECTED = "not-connected"  #: open, but not logged in; a send surely did not leave
    REJECTED = "rejected"  #: WhatsApp refused it; the detail is its number; a send surely did not leave
    INVALID = "invalid"  #: the call makes no sense as it stands; a send surely did not leave
    UNSENT = "unsent"  #: failed before the message was written ahead; a send surely did not leave
    UNKNOWN = "unknown"  #: written ahead and not acknowledged; a send may have left
    ALREADY_OPEN = "already-open"
    LOCKED = "locked"  #: another engine has the session
    STORE = "store"  #: SQLite refused, or the store can't tell
    INTERNAL = "internal"  #: a fault of the engine


class Detail(StrEnum):
    """Details of a refusal that the daemon tells apart; any other text is for the log."""

    NO_ANSWER = "no answer"
    NO_KEYS = "no keys"  #: of the recipient's devices
    QUERY = "query"  #: followed by WhatsApp's number: it refused a question that goes before the send
    UPLOAD = "upload"  #: followed by the HTTP status, if there was one
    NOT_LINKED = "not linked"
    NOT_ON_WHATSAPP = "not on WhatsApp"
    NO_LID = "no LID"  #: the number is on WhatsApp, and WhatsApp gave no address to send to
    SEND_HUNG = "a send hung"
    LEASE_ENDED = "lease ended"
    LOST = "lost"  #: the connection, while the call was under way
    NO_RECONNECTION = "no reconnection"
    CLOSED = "closed"  #: the daemon closed the session


class EventName(StrEnum):
    """What an engine tells unasked."""

    QR = "qr"
    CONNECTED = "connected"
    ENDED = "ended"
    RECEIPT = "receipt"
    MESSAGE = "message"
    SENT = "sent"


#: Events that stand in the journal until they are acknowledged.
JOURNALLED = frozenset({EventName.RECEIPT, EventName.MESSAGE, EventName.SENT})

#: The endings that an engine may tell; the others are the daemon's own.
ENDINGS = frozenset(ending for ending in Ending if ending.startswith("wa-"))


class SendKind(StrEnum):
    """What ``send`` takes."""

    TEXT = "text"
    IMAGE = "image"


class ReceiptType(StrEnum):
    """What a receipt tells of a message."""

    DELIVERED = "delivered"
    READ = "read"
    PLAYED = "played"
    SENDER = "sender"  #: another device of the account itself has the message
    ASKS = "asks"  #: the recipient's phone could not decrypt it and has asked for it as often as phones do
    UNREADABLE = "unreadable"  #: it asks, and nobody can repeat the message to it


class InboundKind(StrEnum):
    """What an incoming message carries."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"
    STICKER = "sticker"
    CONTACT = "contact"
    LOCATION = "location"
    REACTION = "reaction"
    POLL = "poll"
    OTHER = "other"


class Change(StrEnum):
    """What ``group_members`` can do to people."""

    ADD = "add"
    REMOVE = "remove"
    PROMOTE = "promote"
    DEMOTE = "demote"


class Setting(StrEnum):
    """What ``group_setting`` can set."""

    NAME = "name"
    DESCRIPTION = "description"
    ANNOUNCE_ONLY = "announce_only"
    LOCKED = "locked"


def request(call_id: int, call: str, arguments: Mapping[str, Any]) -> Frame:
    """Build the daemon's request; the answer repeats its id."""
    return {"id": call_id, "call": call, **arguments}


def done(call_id: int, body: Mapping[str, Any]) -> Frame:
    """Build the answer to a call that was done."""
    return {"id": call_id, "ok": body}


def refused(call_id: int, error: Mapping[str, Any]) -> Frame:
    """Build the answer to a call that was not done. error: ``code``, ``detail``; of a send also the id, if any."""
    return {"id": call_id, "error": error}


def event(name: EventName, session: str, body: Mapping[str, Any], *, seq: int | None = 0) -> Frame:
    """Build an event. seq: its number in the journal; 0 if it is not journalled, None if not numbered yet."""
    frame = {"event": name.value, "session": session, **body}
    return frame if seq is None else frame | {"seq": seq}
