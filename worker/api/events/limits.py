"""How many clients of WS /api/events a worker serves, and how long it waits for them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLimits:
    """Counts are of clients, sizes in bytes, times in seconds."""

    clients: int = 1_000  #: of one worker
    strangers: int = 100  #: of these, that have not identified themselves: they must not take everybody's places
    of_one_organization: int = 200
    authenticate_seconds: float = 10.0  #: for the first message of a client that has not identified itself
    token_seconds: float = 1.0  #: between two checks whether a client's token has expired
    close_seconds: float = 2.0  #: for an orderly close
    backlog_items: int = 1_000  #: that may wait for one client
    backlog_bytes: int = 1024 * 1024  #: beside what lies in the sockets' buffers (some hundred kB)
    fresh_seconds: float = 5.0  #: how old a caller's rights may be when an event is sent
    unknown_seconds: float = 1.0  #: the same for an event of an account that is not among them
