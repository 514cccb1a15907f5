"""A worker of its own process, as a script or a test starts, asks, kills and stops it."""

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from localstack.layout import REPOSITORY
from simulator.process import die_with_parent
from tests.kit.forked import Forked, fork
from tests.kit.http import loopback

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T | None]], seconds: float, what: str) -> T:
    """Look again until there is an answer; a TimeoutError says what was missing.

    At first it looks every 20 ms, later every 150 ms: a look every 30 ms took a tenth of a processor.
    """
    deadline, pause = asyncio.get_running_loop().time() + seconds, 0.02
    while True:
        if (answer := await look()) is not None:
            return answer
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(pause)
        pause = min(pause * 1.2, 0.15)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Worker:
    """A running ``python -m worker`` and where it writes."""

    worker_id: str
    environment: dict[str, str] = field(repr=False)
    log: Path
    process: asyncio.subprocess.Process | Forked | None = None
    forked: bool = False  #: of tests/kit/forked.py's server: starts four times faster, shares its memory

    @property
    def port(self) -> int:
        """Where /health answers."""
        return int(self.environment["PORT"])

    async def start(self) -> None:
        """Start it, or start it again after its death."""
        with self.log.open("ab") as log:
            if self.forked:
                self.process = fork("worker", environment=self.environment, output=log.fileno())
                return
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "worker"),
                cwd=REPOSITORY,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )

    async def health(self) -> Mapping[str, Any] | None:
        """What /health says, None if it does not answer or this process has ended."""
        if self.process is None or self.process.returncode is not None:
            raise RuntimeError(f"the worker has ended: see {self.log}")
        try:
            async with loopback() as http:
                return dict((await http.get(f"http://127.0.0.1:{self.port}/health", timeout=2)).json())
        except httpx.HTTPError:
            return None

    async def until_serving(self, sessions: int, seconds: float = 30) -> None:
        """Wait until it is ready and so many sessions are connected."""

        async def look() -> bool | None:
            health = await self.health()
            serves = health and health["ready"] and health["sessions"]["connected"] >= sessions
            return True if serves else None

        await until(look, seconds, f"{sessions} connected sessions on {self.worker_id}")

    def engine_of(self, session: str) -> int:
        """The engine process that has a session's store open; 0 if none has."""
        for child in self.engines():
            for handle in Path(f"/proc/{child}/fd").glob("*"):
                with suppress(OSError):
                    if f"/{session}/store.db" in str(handle.readlink()):
                        return child
        return 0

    def engines(self) -> list[int]:
        """The engine processes that it has started and that run."""
        if self.process is None or self.process.returncode is not None:
            return []
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    async def kill(self) -> None:
        """SIGKILL, no goodbye."""
        if self.process and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()

    async def stop(self, seconds: float = 20) -> int:
        """SIGTERM and wait; its exit code."""
        if not self.process:
            return 0
        if self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), seconds)
            except TimeoutError:
                await self.kill()
        return int(self.process.returncode or 0)
