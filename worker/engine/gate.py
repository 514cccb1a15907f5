"""A gate before the library, which reads a table without a lock whenever a call enters it.

Starting or stopping a client changes that table (a Go map). A call that enters at that moment can abort the whole
process. Only entering is dangerous, so calls under way go on.

Measured: with the gate, 620 restarts beside 120,000 calls in 2 × 75 s and no abort; without it the process
aborted after 7, 8 and 52 s. A start that opens the gate as soon as it dials: 28 × 17 openings side by side and
2,464 sends in 45 s, and no abort. One risk is left: after dialling, the library reads another such table once
per opening, for some 20 ns, without the gate.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: How long a caller that has passed the gate may need to read the table, seconds.
SETTLE = 0.03


class EntryGate:
    """Lets callers enter side by side, and whoever changes the table alone."""

    def __init__(self) -> None:
        self._alone = threading.Lock()
        self._open = threading.Event()
        self._open.set()

    def enter(self) -> None:
        """Wait while somebody changes the table."""
        self._open.wait()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Close the gate, give callers that have passed it time to read the table, open it at the end."""
        with self._alone:
            self._open.clear()
            try:
                time.sleep(SETTLE)  # the library gives no sign that a call has passed the table
                yield
            finally:
                self._open.set()
