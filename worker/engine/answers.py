"""The answer to one call. The first answer counts; later ones are dropped."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from worker.engine import protocol
from worker.engine.framing import Frame
from worker.engine.protocol import Code


class CallRefused(Exception):  # noqa: N818 - an answer of the protocol, not a fault
    """The engine won't or can't do a call. detail: free of personal data.

    wa_message_id: given for a send that may have left; None if its id is not known.
    """

    def __init__(self, code: Code, detail: str = "", **more: str | None) -> None:
        super().__init__(f"{code} {detail}".strip())
        self.code = code
        self.detail = detail
        self._more = more

    @property
    def body(self) -> Frame:
        """The error as it goes to the daemon."""
        return {"code": self.code.value, "detail": str(self.detail), **self._more}


class Answer:
    """Where a call's answer goes. Two may try: a closing session answers for a call that hangs."""

    def __init__(self, call_id: int, write: Callable[[Frame], None]) -> None:
        self._id = call_id
        self._write = write
        self._lock = threading.Lock()
        self._given = False

    def _give(self, frame: Frame) -> bool:
        with self._lock:
            first, self._given = not self._given, True
        if first:
            self._write(frame)
        return first

    def ok(self, body: Mapping[str, Any]) -> bool:
        """Answer that the call was done. Returns False if it was answered before."""
        return self._give(protocol.done(self._id, body))

    def refuse(self, refusal: CallRefused) -> bool:
        """Answer that the call was not done. Returns False if it was answered before."""
        return self._give(protocol.refused(self._id, refusal.body))
