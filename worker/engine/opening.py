"""What one opening of a session holds: its folder, lock, journal and library client, and whether it still lives.

``session`` adds its life; sends and group calls need no more than this.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from worker.engine import protocol
from worker.engine.framing import Frame
from worker.engine.gate import EntryGate
from worker.engine.journal import Journal
from worker.engine.library import Client
from worker.engine.protocol import Detail, EventName, State
from worker.engine.repeats import Repeats
from worker.engine.store import SessionFolder


class LeaseOver(Exception):  # noqa: N818 - it reads as the sentence that it is
    """The lease ended while the opening waited for a predecessor's lock."""


class Opening:
    """A session that is open in this engine.

    deadline: when its lease ends, on ``CLOCK_MONOTONIC``. gate: guards the library's start and stop.
    write: sends a frame to the daemon.
    Raises LockedError if another engine has the session, LeaseOver if the deadline has passed.
    """

    def __init__(
        self, folder: SessionFolder, deadline: float, gate: EntryGate, write: Callable[[Frame], None]
    ) -> None:
        self.id = folder.session
        self.folder = folder
        self.deadline = deadline
        self.state = State.CONNECTING
        self.why: str = Detail.CLOSED  #: what ended it: an ending, or the detail of a lost connection
        self.closing = threading.Event()
        self._gate, self._write = gate, write
        self.repeats = Repeats(folder)
        folder.lock()
        try:
            self._expect_time_left()
            self.incarnation = folder.incarnation()
            self.journal = Journal(folder.journal)
            self.client = Client(folder.store, gate, self.alive)
        except BaseException:
            folder.unlock()
            raise

    def _expect_time_left(self) -> None:
        if time.monotonic() >= self.deadline:
            raise LeaseOver

    def alive(self) -> bool:
        """Tell whether a call into the library still finds the client there."""
        return self.state is not State.CLOSED

    def tell(self, name: EventName, body: Mapping[str, Any]) -> None:
        """Send an event that is not journalled."""
        self._write(protocol.event(name, self.id, body))

    def record(self, name: EventName, body: Mapping[str, Any]) -> None:
        """Journal an event, then send it."""
        self.journal.record(protocol.event(name, self.id, body, seq=None), self._write)
