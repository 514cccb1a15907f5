"""A linked account: its statuses, what an admin wants of it, and why a connection ended."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID


class ProviderName(StrEnum):
    """How an account reaches WhatsApp: ``whatsapp_sessions.provider``."""

    WEB = "web"  #: WhatsApp Web: the worker is a device that a phone has linked
    CLOUD = "cloud"  #: Meta's Cloud API
    UNKNOWN = "unknown"  #: newer than this worker: a database is migrated before its workers are upgraded

    @classmethod
    def _missing_(cls, value: object) -> "ProviderName":  # noqa: ARG003 - Enum's signature
        return cls.UNKNOWN


class SessionStatus(StrEnum):
    """The statuses of ``whatsapp_sessions``."""

    DISCONNECTED = "disconnected"  #: not linked, or not wanted now
    CONNECTING = "connecting"  #: a worker is opening the socket, or tries again after a loss
    QR_PENDING = "qr_pending"  #: shows a QR or a pairing code and waits for the phone
    CONNECTED = "connected"  #: logged in; messages go out
    LOGGED_OUT = "logged_out"  #: the phone unlinked this device: link it again
    BANNED = "banned"  #: WhatsApp refuses the account
    ERROR = "error"  #: needs a person; last_error says what to do


class DesiredState(StrEnum):
    """What the organisation's admin asked for."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LOGGED_OUT = "logged_out"


class Ending(StrEnum):
    """Why a connection ended, as stable codes. The admin reads the remedy of each."""

    LOST = "wa-connection-lost"  #: network or server; reconnects by itself
    LOGGED_OUT = "wa-logged-out"
    BANNED = "wa-temporary-ban"
    REPLACED = "wa-stream-replaced"
    OUTDATED = "wa-client-outdated"
    QR_TIMEOUT = "wa-qr-timeout"
    REFUSED = "wa-connect-refused"
    WRONG_NUMBER = "herald-other-number"
    NUMBER_TAKEN = "herald-number-taken"
    CREDENTIALS = "herald-credentials"
    ENGINE = "herald-engine-ended"  #: the engine process ended, or gave the session away; opens again at once


#: What a person reads beside the status.
REMEDY: dict[Ending, str] = {
    Ending.LOST: "The connection was lost; Herald reconnects by itself.",
    Ending.LOGGED_OUT: "The phone unlinked this device. Press connect and scan a new QR code.",
    Ending.BANNED: "WhatsApp restricts this account. Wait until the restriction ends, then press connect.",
    Ending.REPLACED: "Another program took over this linked device. End that program (a second Herald with a copy "
    "of the state?), then press connect.",
    Ending.OUTDATED: "WhatsApp no longer accepts this version of Herald's engine. Ask the operator to upgrade it.",
    Ending.ENGINE: "One of Herald's processes was replaced; this account reconnects by itself.",
    Ending.QR_TIMEOUT: "The QR code was not scanned in time. Press connect for a new one.",
    Ending.REFUSED: "WhatsApp refused the connection; Herald tries again by itself.",
    Ending.WRONG_NUMBER: "This account was linked by another number before; the new device was logged out.",
    Ending.NUMBER_TAKEN: "This phone is linked as another account of your organisation; the new device was logged out. "
    "Use that account, or log it out and then connect this one.",
    Ending.CREDENTIALS: "The stored credentials can't be opened with this worker's ENCRYPTION_KEY. "
    "Give the worker the right key, or unlink and scan again.",
}

#: Where WhatsApp tells the reason of an ending, as whatsmeow names it (types/events, ConnectFailureReason).
REMEDY_BY_REASON: dict[tuple[Ending, str], str] = {
    (Ending.LOGGED_OUT, "main_device_gone"): "WhatsApp says that this account's phone is gone: it was logged out, "
    "re-installed or its number was moved. Open WhatsApp on the phone, then press connect and scan a new QR code.",
    (
        Ending.LOGGED_OUT,
        "unknown_logout",
    ): "WhatsApp logged this device out and gives no reason. Look at the phone: "
    "the account may be blocked. Then press connect and scan a new QR code.",
    (
        Ending.REFUSED,
        "bad_user_agent",
    ): "WhatsApp does not accept this version of Herald's engine. Ask the operator to upgrade it.",
    (Ending.REFUSED, "internal_server_error"): "WhatsApp has trouble; Herald tries again by itself.",
    (Ending.REFUSED, "service_unavailable"): "WhatsApp is unavailable for a moment; Herald tries again by itself.",
}


def remedy(ending: Ending, reason: str = "") -> str:
    """Say what a person reads about an ending, and its reason if WhatsApp told one."""
    return REMEDY_BY_REASON.get((ending, reason), REMEDY[ending])


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A session under this worker's lease, as the last heartbeat saw it.

    epoch grows by one with every acquisition and fences all writes about the session; lease_seconds is how long
    the lease lasts from the moment the database answered.
    """

    session_id: UUID
    organization_id: UUID
    provider: ProviderName
    epoch: int
    lease_seconds: float
    desired_state: DesiredState
    status: SessionStatus
    phone_number: str | None
    min_gap_ms: int
    until: datetime


#: The share of a lease that the engine's deadline leaves for a slow close: 2 s of 20.
LEASE_MARGIN = 0.1


class Lease:
    """How long a session is ours, on this machine's monotonic clock; every heartbeat that lists it renews it.

    Counted from before the database was asked, so that it ends here before it ends there. The worker's wall clock
    takes no part: it may be wrong, and it may jump.

    gap: the account's least time between two sends, seconds; an admin may change it meanwhile.
    """

    def __init__(self, held: Held, asked: float) -> None:
        self.renew(held, asked)

    def renew(self, held: Held, asked: float) -> None:
        """Take a heartbeat's answer; asked: ``time.monotonic()`` when it was asked for."""
        self.deadline = asked + held.lease_seconds * (1 - LEASE_MARGIN)
        self.gap = held.min_gap_ms / 1000
        self._asked, self._answered = asked, held.until - timedelta(seconds=held.lease_seconds)

    def database_time(self) -> datetime:
        """Tell the database's time now, for what a person reads in a row."""
        return self._answered + timedelta(seconds=time.monotonic() - self._asked)
