"""The answer to one call: given once, whoever comes first."""

import threading
from collections.abc import Callable
from typing import Any

from worker.engine.framing import Frame


class Refusal(Exception):  # noqa: N818 - it carries an error code of the protocol
    """A call's error: a code of docs/engine-protocol.md and a detail without personal data."""

    def __init__(self, code: str, detail: str = "", **more: Any) -> None:
        super().__init__(f"{code} {detail}".strip())
        self.body: Frame = {"code": code, "detail": detail, **more}


class Answer:
    """Where the answer goes; a second one is dropped: a closing session may answer for a call that hangs."""

    def __init__(self, call_id: int, write: Callable[[Frame], None]) -> None:
        self._id = call_id
        self._write = write
        self._lock = threading.Lock()
        self._given = False

    def _give(self, frame: Frame) -> bool:
        with self._lock:
            first, self._given = not self._given, True
        if first:
            self._write({"id": self._id, **frame})
        return first

    @property
    def given(self) -> bool:
        """Whether somebody has answered."""
        return self._given

    def ok(self, body: Frame) -> bool:
        """Answer that it worked; False if the call was answered before."""
        return self._give({"ok": body})

    def refuse(self, refusal: Refusal) -> bool:
        """Answer that it did not; False if the call was answered before."""
        return self._give({"error": refusal.body})
