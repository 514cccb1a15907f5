"""Faults on demand. A fault concerns all phones or one, and lasts for a count of occurrences or until cleared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.events import Changes


class FaultKind(StrEnum):
    """What goes wrong. The first three happen at once to everyone who is connected, and do not stay in force."""

    DROP = "drop"  #: the connection is cut
    LOG_OUT = "log_out"  #: the owner unlinked the client on the phone: conflict, device_removed
    REPLACED = "replaced"  #: another process logged in as the same device: conflict, replaced

    REFUSE = "refuse"  #: new connections are refused (for one phone: cut at login)
    BAN = "ban"  #: connected clients are cut; logins fail with 402 and how many seconds the ban lasts
    PHONE_GONE = "phone_gone"  #: logins fail with 403: the account's phone is logged out itself
    OUTDATED = "outdated"  #: logins fail with 405: the client is too old

    NACK = "nack"  #: a message is refused with a code
    STALL_UNPROCESSED = "stall_unprocessed"  #: a message is dropped: neither delivered nor acknowledged
    STALL_PROCESSED = "stall_processed"  #: a message is delivered but never acknowledged
    DROP_UNPROCESSED = "drop_unprocessed"  #: the connection is cut instead of taking a message
    DROP_PROCESSED = "drop_processed"  #: a message is delivered, then the connection is cut, unacknowledged

    #: questions that go before a message (who has this number, who is in this group) stay unanswered
    STALL_QUERY = "stall_query"

    NO_LID = "no_lid"  #: the server says that this number is in, and does not tell its LID

    GARBLE = "garble"  #: a message reaches this phone's clients damaged; they ask for it again

    DELAY = "delay"  #: every stanza to the client waits for `seconds`: a slow round trip


AT_ONCE = frozenset({FaultKind.DROP, FaultKind.LOG_OUT, FaultKind.REPLACED})


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault in force.

    phone: whom it concerns (None: everyone). count: how often it still happens (None: until cleared).
    device: only this one of the phone's devices (None: any); GARBLE alone looks at it.
    code: of a nack. seconds: of a delay, or how long a ban lasts.
    """

    kind: FaultKind
    phone: str | None = None
    count: int | None = None
    code: int = 500
    seconds: float = 3600
    device: int | None = None

    def concerns(self, phone: str | None, device: int | None = None) -> bool:
        return self.phone in (None, phone) and (device is None or self.device in (None, device))


class Faults:
    """The faults in force, oldest first. changes: notified when one is used up or cleared."""

    def __init__(self, changes: Changes) -> None:
        self.active: list[Fault] = []
        self._changes = changes

    def add(self, fault: Fault) -> None:
        self.active.append(fault)

    def clear(self, kind: FaultKind | None = None, phone: str | None = None) -> None:
        """Clear the faults of a kind and a phone, by default all."""
        self.active = [
            fault
            for fault in self.active
            if (kind is not None and fault.kind is not kind) or (phone is not None and fault.phone != phone)
        ]
        self._changes.notify()

    def in_force(self, kind: FaultKind, phone: str | None = None) -> bool:
        """Tell whether there are faults of a kind, or, given a phone, any that concern it."""
        return any(fault.kind is kind and (phone is None or fault.concerns(phone)) for fault in self.active)

    def take(self, kind: FaultKind, phone: str | None, device: int | None = None) -> Fault | None:
        """Return the fault of this kind that strikes the phone now, and use up one occurrence."""
        for fault in self.active:
            if fault.kind is kind and fault.concerns(phone, device):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count <= 0:
                        self.active.remove(fault)
                        self._changes.notify()
                return fault
        return None

    def delay(self, phone: str | None) -> float:
        """How long each stanza to this phone's clients waits, seconds."""
        delays = (
            fault.seconds for fault in self.active if fault.kind is FaultKind.DELAY and fault.concerns(phone)
        )
        return max(delays, default=0.0)
