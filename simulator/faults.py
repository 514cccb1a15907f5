"""What can be made to go wrong, on demand.

A fault concerns all phones or one, and holds for a count of occurrences or until it is cleared.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from simulator.events import Changes


class FaultKind(StrEnum):
    """What goes wrong. The first three happen at once to whoever is connected and leave nothing behind."""

    DROP = "drop"  #: the connection is cut
    LOG_OUT = "log_out"  #: the owner unlinked the client on the phone: conflict, device_removed
    REPLACED = "replaced"  #: another process logged in as the same device: conflict, replaced

    REFUSE = "refuse"  #: new connections are not accepted (scope one phone: cut at login)
    BAN = "ban"  #: connected clients are cut; logins fail with 402 and the seconds until the ban ends
    OUTDATED = "outdated"  #: logins fail with 405, the client is too old

    NACK = "nack"  #: a message is refused with a code
    STALL_UNPROCESSED = "stall_unprocessed"  #: a message is swallowed: neither delivered nor acknowledged
    STALL_PROCESSED = "stall_processed"  #: a message is delivered, its acknowledgement withheld
    DROP_UNPROCESSED = "drop_unprocessed"  #: the connection is cut instead of taking a message
    DROP_PROCESSED = "drop_processed"  #: a message is delivered and the connection cut before the acknowledgement

    #: what a client asks before it writes a message (who has this number, who is in this group) stays unanswered
    STALL_QUERY = "stall_query"

    GARBLE = "garble"  #: a message arrives damaged at this phone's clients, which then ask for it again

    DELAY = "delay"  #: every stanza to the client is held back by `seconds`: a slow round trip


AT_ONCE = frozenset({FaultKind.DROP, FaultKind.LOG_OUT, FaultKind.REPLACED})


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault in force.

    phone: whom it concerns; None, everyone.  count: how many more times; None, until cleared.
    code: of a nack.  seconds: of a delay, or until a ban ends.
    """

    kind: FaultKind
    phone: str | None = None
    count: int | None = None
    code: int = 500
    seconds: float = 3600

    def concerns(self, phone: str | None) -> bool:
        return self.phone is None or self.phone == phone


class Faults:
    """The faults in force, oldest first. changes: told when one is used up or cleared."""

    def __init__(self, changes: Changes) -> None:
        self.active: list[Fault] = []
        self._changes = changes

    def add(self, fault: Fault) -> None:
        self.active.append(fault)

    def clear(self, kind: FaultKind | None = None, phone: str | None = None) -> None:
        """Clear those of a kind and a phone; without them, all."""
        self.active = [
            fault
            for fault in self.active
            if (kind is not None and fault.kind is not kind) or (phone is not None and fault.phone != phone)
        ]
        self._changes.notify()

    def in_force(self, kind: FaultKind, phone: str | None = None) -> bool:
        """Whether there are faults of a kind; with a phone, those that concern it."""
        return any(fault.kind is kind and (phone is None or fault.concerns(phone)) for fault in self.active)

    def take(self, kind: FaultKind, phone: str | None) -> Fault | None:
        """The fault of that kind that strikes this phone now; uses up one occurrence."""
        for fault in self.active:
            if fault.kind is kind and fault.concerns(phone):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count <= 0:
                        self.active.remove(fault)
                        self._changes.notify()
                return fault
        return None

    def delay(self, phone: str | None) -> float:
        """How long each stanza to this phone's clients is held back."""
        delays = (
            fault.seconds for fault in self.active if fault.kind is FaultKind.DELAY and fault.concerns(phone)
        )
        return max(delays, default=0.0)
