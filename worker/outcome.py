"""The outcomes of a send: facts with their certainty, never a bool."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the message and acknowledged it."""

    wa_message_id: str
    at: datetime  #: the provider's time, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The provider, or the message itself, makes this send impossible; it surely did not go out.

    code is stable (``wa-not-a-member``); reason is for the person who reads the row.
    """

    code: str
    reason: str
    retry: bool = False  #: True: worth another attempt (counts one); False: permanent


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """Surely not sent, and not the message's fault: goes back to the queue, costs no attempt.

    pause: the provider said that the whole account must send nothing for this time.
    new_chats_pause: … that it must not write to people it has no chat with for this time; known chats go on.
    """

    reason: str
    code: str = "unavailable"
    retry_after: float = 0.0  #: seconds
    pause: float = 0.0  #: seconds
    new_chats_pause: float = 0.0  #: seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Indeterminate:
    """May have left before something broke. Never sent again without evidence."""

    reason: str
    code: str = "indeterminate"
    wa_message_id: str | None = None


Outcome = Accepted | Rejected | Unavailable | Indeterminate


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The outcome of a claim. The token fences it, so writing it twice changes nothing."""

    message_id: UUID
    token: UUID
    outcome: Outcome
