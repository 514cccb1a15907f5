"""What the worker and PM2 say to each other over the socket that PM2 gives its processes (Node's IPC channel).

PM2 learns when the worker is ready (``wait_ready``). The worker learns when PM2 is gone, killed or crashed.
A worker without PM2 would be in the way of its successor, which PM2 starts when it is back; so it hands over and
ends, and whoever brings PM2 back (systemd, see docs/deploy.md) brings the worker back with it.
"""

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress

_VARIABLE = "NODE_CHANNEL_FD"


class Channel:
    """Our end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    @classmethod
    def inherited(cls) -> "Channel | None":
        """Take it from the environment; None if there is none. To be called before anything else opens a file."""
        number = os.environ.pop(_VARIABLE, "")
        if not number.isdecimal():
            return None
        try:
            if not stat.S_ISSOCK(os.fstat(int(number)).st_mode):
                return None
            os.set_inheritable(int(number), False)
            end = socket.socket(fileno=int(number))
        except OSError:
            return None
        end.setblocking(False)
        return cls(end)

    def ready(self) -> None:
        """Say that the worker serves. Node's channel carries one JSON value a line."""
        with suppress(OSError):
            self._socket.send(b'"ready"\n')

    def watch(self, gone: Callable[[], None]) -> None:
        """Call ``gone`` once when PM2 has ended."""
        loop = asyncio.get_running_loop()

        def look() -> None:
            with suppress(BlockingIOError, InterruptedError):
                try:
                    said = self._socket.recv(65536)
                except ConnectionError:
                    said = b""
                if not said:
                    loop.remove_reader(self._socket)
                    gone()

        loop.add_reader(self._socket, look)

    def close(self) -> None:
        """Close our end."""
        self._socket.close()
