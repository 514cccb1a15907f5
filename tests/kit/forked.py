"""Processes of the worker and its commands, forked from a server that has imported them (fork_server.py)."""

import array
import asyncio
import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localstack.layout import REPOSITORY
from simulator.process import die_with_parent
from tests.kit.fork_server import MAX_REQUEST


class ForkServer:
    """The server of this run of the tests. It ends with it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_REQUEST)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kit.fork_server", str(theirs.fileno())],
                cwd=REPOSITORY,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
            )

    def close(self) -> None:
        """End it, and with it what it has forked."""
        self._socket.close()
        self._process.wait()

    def ask(self, request: Mapping[str, Any], fds: tuple[int, ...] = ()) -> int:
        """Send a request; the pid of the fork or, for ``exited``, the exit code of one that has ended."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self._socket.sendmsg([json.dumps(request).encode()], rights)
        if not (answer := self._socket.recv(64)):
            raise RuntimeError("tests/kit/fork_server.py has ended")
        return int(json.loads(answer))


@functools.cache
def _server() -> ForkServer:
    server = ForkServer()
    atexit.register(server.close)
    return server


@dataclass(slots=True)
class Forked:
    """A running fork; it has what asyncio's Process has."""

    pid: int
    _handle: int = field(init=False, repr=False)
    _code: int | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self._handle = os.pidfd_open(self.pid)

    @property
    def returncode(self) -> int | None:
        """Its exit code, minus the signal that killed it; None while it runs."""
        if self._code is None and select.select([self._handle], [], [], 0)[0]:
            self._code = _server().ask({"exited": self.pid})
            os.close(self._handle)
        return self._code

    async def wait(self) -> int:
        """Wait until it has ended; its exit code."""
        while (code := self.returncode) is None:
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(self._handle, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(self._handle)
        return code

    def send_signal(self, number: int) -> None:
        """Does nothing if it has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork(module: str, *arguments: str, environment: Mapping[str, str], output: int) -> Forked:
    """Run ``python -m MODULE ARGUMENTS`` in the repository. output: a file descriptor for all that it prints."""
    request = {
        "module": module,
        "arguments": arguments,
        "environment": dict(environment),
        "folder": str(REPOSITORY),
    }
    with Path(os.devnull).open("rb") as nothing:
        return Forked(_server().ask(request, (nothing.fileno(), output, output)))


async def run(
    module: str, *arguments: str, environment: Mapping[str, str], seconds: float = 60
) -> tuple[int, str]:
    """Run it to its end; exit code and output. TimeoutError, and it is killed, if that takes too long."""
    with tempfile.TemporaryFile() as output:
        process = fork(module, *arguments, environment=environment, output=output.fileno())
        try:
            code = await asyncio.wait_for(process.wait(), seconds)
        finally:
            process.kill()
        output.seek(0)
        return code, output.read().decode()
