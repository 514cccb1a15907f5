"""The sessions that are open in this engine."""

import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from worker.engine.answers import CallRefused
from worker.engine.framing import Frame
from worker.engine.gate import EntryGate
from worker.engine.handlers import subscribe
from worker.engine.protocol import Code
from worker.engine.session import Session
from worker.engine.store import SessionFolder


class Sessions:
    """Finds, adds and removes open sessions.

    state: the folder that holds their folders. write: sends a frame to the daemon.
    changing: a lock for each session, held while it is opened or closed. wake: set when a deadline changes.
    """

    def __init__(self, state: Path, write: Callable[[Frame], None]) -> None:
        self.state = state
        self.open: dict[str, Session] = {}
        self.changing: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.wake = threading.Event()
        self.send_seconds = 100.0  #: a send that takes longer has hung; `hello` brings the daemon's figure
        self._gate = EntryGate()
        self._write = write

    def of(self, frame: Frame) -> Session:
        """Find the open session that a call names; CallRefused if it is not open."""
        session = self.open.get(str(frame["session"]))
        if session is None:
            raise CallRefused(Code.NOT_OPEN)
        return session

    def add(self, folder: SessionFolder, deadline: float) -> Session:
        """Open a session without starting it. Raises CallRefused, LockedError or LeaseOver."""
        self.expect_closed(folder.session)
        session = Session(
            folder, deadline, self._gate, self._write, send_seconds=self.send_seconds, over=self.remove
        )
        subscribe(session)
        self.open[session.id] = session
        self.wake.set()
        return session

    def expect_closed(self, name: str) -> None:
        """CallRefused if the session is open; if it is closing, wait until it has closed."""
        session = self.open.get(name)
        if session is not None and session.alive():
            raise CallRefused(Code.ALREADY_OPEN)
        if session is not None:
            session.wait_gone()

    def remove(self, session: Session) -> None:
        """Forget a session that has ended."""
        if self.open.get(session.id) is session:
            del self.open[session.id]
