"""Why a connection of WS /api/events ends: a close code, and a reason that begins with a stable word."""

import structlog

from worker.api.http.problem import Problem
from worker.errors import DatabaseRefused, StoreError

log = structlog.get_logger()

BAD_MESSAGE, NO_TOKEN, NOT_ALLOWED, NO_AUTHENTICATION, TOO_SLOW = 4400, 4401, 4403, 4408, 4429
GOING_AWAY, TRY_AGAIN = 1001, 1013

_BY_STATUS = {400: BAD_MESSAGE, 401: NO_TOKEN, 403: NOT_ALLOWED, 429: TOO_SLOW}


class ConnectionEnds(Exception):  # noqa: N818 - an end, not a fault
    """Ends the connection with a close code and a reason of at most 123 bytes."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def ending_of(error: Exception) -> tuple[int, str]:
    """Tell a client why its connection ends, as a code and a reason."""
    match error:
        case ConnectionEnds():
            return error.code, error.reason
        case Problem():
            return _BY_STATUS.get(error.status, TRY_AGAIN), f"{error.code}: {error.detail}"
        case DatabaseRefused(status=401):
            return NO_TOKEN, "token-expired: refresh it and connect again"
        case StoreError() | DatabaseRefused():
            return TRY_AGAIN, "database-away: connect again in a moment"
        case ConnectionError():
            return GOING_AWAY, "gone"
        case _:
            log.error("events_broke", exc_info=error)
            return TRY_AGAIN, "internal: connect again; the operator finds it in the log"
