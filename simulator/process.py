"""Child processes that end with their parent and print one line when they are ready."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

#: Where `python -m simulator…` finds the package.
REPOSITORY = Path(__file__).resolve().parents[1]

_PR_SET_PDEATHSIG = 1
_STOP_TIMEOUT = 5.0


def die_with_parent() -> None:
    """Have the kernel end this process when its parent has gone, however it ends."""
    parent = os.getppid()
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent or parent == 1:
        sys.exit("the parent process is gone")


def claim_stdout() -> Callable[[str], None]:
    """Keep standard output for the line that says we are ready. Prints go to standard error.

    neonize prints "Press Ctrl+C to exit" when a client connects.
    """
    ours = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say_ready(line: str) -> None:
        os.write(ours, line.encode() + b"\n")
        os.close(ours)

    return say_ready


class Child:
    """One of our own modules as a child process, with its standard error in a log file."""

    def __init__(self, process: asyncio.subprocess.Process, said: str) -> None:
        self._process = process
        self.said = said

    @classmethod
    async def start(cls, module: str, *arguments: str, log: Path, timeout: float = 30) -> Child:
        """Start it and wait until it is ready. `said` is the line it prints. RuntimeError if there is none."""
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                *arguments,
                cwd=REPOSITORY,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
            )
        assert process.stdout is not None
        try:
            said = (await asyncio.wait_for(process.stdout.readline(), timeout)).decode().strip()
        except TimeoutError:
            said = ""
        child = cls(process, said)
        if not said:
            await child.stop()
            raise RuntimeError(f"{module} did not get ready within {timeout:.0f} s: see {log}")
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ended(self) -> int:
        """Wait until it has ended, and return its exit status."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Terminate it; kill it if it does not end in time."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_TIMEOUT)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
