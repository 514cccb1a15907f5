"""Whether the secret key is wrong, or was refused in passing.

Hosted projects refuse a right key now and then, for a moment (401, PGRST303 "JWT issued at future":
github.com/supabase/supabase/issues/49655). Only a person can fix a wrong key, so a worker ends for that alone, and for
good.
"""

import time
from collections.abc import Callable

#: How long a worker waits for a key that has never worked, seconds.
PATIENCE_SECONDS = 60.0


class KeyTrust:
    """What one process knows of its key. patience: seconds; 0 for a command, whose person sees the answer at once."""

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._refused_at: float | None = None
        self.worked = False  #: the database has answered a call under it

    def answered(self) -> None:
        """Note that the database took the key."""
        self.worked = True

    def wrong(self) -> bool:
        """Note a refusal; whether it is one that only a person can end."""
        if self._refused_at is None:
            self._refused_at = self._clock()
        return not self.worked and self._clock() - self._refused_at >= self._patience
