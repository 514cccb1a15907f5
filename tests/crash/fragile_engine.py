"""The engine, but it dies whenever a session is started that the file ``fragile`` in its state folder names."""

import os
import sys
from pathlib import Path

from worker.engine.server import serve
from worker.engine.session import Session

#: How a Go program ends that panics.
PANIC = 2


class Fragile:
    """What starts sessions instead."""

    def __init__(self, state: Path) -> None:
        self.file = state / "fragile"
        self.start = Session.start

    def __call__(self, session: Session) -> None:
        if self.file.exists() and session.id in self.file.read_text().split():
            os._exit(PANIC)
        self.start(session)


if __name__ == "__main__":
    fragile = Fragile(Path(sys.argv[1]))
    setattr(Session, "start", lambda session: fragile(session))  # noqa: B010 - a method, for the type checker
    serve(Path(sys.argv[1]))
