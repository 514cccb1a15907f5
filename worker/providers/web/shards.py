"""The engine processes of one worker: which session runs in which, and what happens when one grows or dies."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from worker.engine.framing import Frame
from worker.engine.protocol import OVERSLEPT
from worker.errors import EngineError
from worker.providers.web.engine_process import EngineProcess
from worker.providers.web.suspects import Suspects

log = structlog.get_logger()

#: An engine above this multiple of its limit is killed, not emptied.
FAR_ABOVE = 2.0

#: An engine with one session is not emptied younger than this, seconds: the session itself needs the memory, and
#: would only be moved on and on.
SETTLED_AGE = 600.0

#: Exit codes of an engine that did not crash: it ended, overslept its leases, or was killed.
_NO_CRASH = frozenset({0, OVERSLEPT, -signal.SIGKILL, -signal.SIGTERM})


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardLimits:
    """Limits of an engine.

    sessions: at once.  openings: in its life; each leaves 0.4 MiB and 1.5 descriptors behind (measured).
    memory_mb: resident; above it the engine is emptied, far above it killed.
    send_seconds: a send that takes longer has hung; the library gives up after 75, but not on a cut-off one.
    """

    sessions: int = 25
    openings: int = 200
    memory_mb: float = 512.0
    send_seconds: float = 100.0


class Shard(EngineProcess):
    """An engine and the sessions that it holds."""

    def __init__(self, *arguments: Any, send_seconds: float) -> None:
        super().__init__(*arguments, send_seconds=send_seconds)
        self.sessions: set[UUID] = set()
        self.opened = 0  #: how many openings it has seen
        self.retired = False  #: takes no new sessions, and ends when it is empty
        self.born = asyncio.get_running_loop().time()

    @property
    def crashed(self) -> bool:
        """Whether it ended by its own fault."""
        return self.exit_code is not None and self.exit_code not in _NO_CRASH

    def resident_mb(self) -> float:
        """Tell how much memory the process uses; 0 if it has ended."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0.0
        found = next((line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")), "0")
        return int(found) / 1024


class Shards:
    """All engines. on_event: gets their event frames; on_loss: gets the sessions that lost their engine."""

    def __init__(
        self,
        command: Sequence[str],
        state_dir: Path,
        limits: ShardLimits,
        on_event: Callable[[Frame], None],
        on_loss: Callable[[list[UUID]], None],
    ) -> None:
        self._command = list(command)
        self._state_dir = state_dir
        self.limits = limits
        self._on_event, self._on_loss = on_event, on_loss
        self._shards: list[Shard] = []
        self._where: dict[UUID, Shard] = {}
        self.where: Mapping[UUID, Shard] = self._where  #: the engine that each open session is in
        self._placing = asyncio.Lock()
        self._closed = False
        self.suspects = Suspects()

    async def start(self) -> None:
        """Start the first engine; EngineError if ENGINE_COMMAND does not work."""
        async with self._placing:
            await self._start_one()

    async def aclose(self) -> None:
        """Stop all engines."""
        self._closed = True
        await asyncio.gather(*(shard.stop() for shard in list(self._shards)))

    @property
    def sizes(self) -> dict[int, int]:
        """The engines that run, by process id, and how many sessions each holds."""
        return {shard.pid: len(shard.sessions) for shard in self._shards}

    async def any(self) -> Shard:
        """Give an engine that lives: stores can be read in each."""
        async with self._placing:
            return next((one for one in self._shards if one.alive), None) or await self._start_one()

    async def place(self, session_id: UUID) -> Shard:
        """Choose an engine for a session that is to be opened: the least loaded that has room.

        Suspects share one with each other only. Raises CrashLoop if the session has to wait.
        """
        async with self._placing:
            if session_id in self._where:
                raise EngineError("the session is open already")
            self.suspects.opens(session_id)
            group = self.suspects.group(session_id)
            free = [one for one in self._shards if self._has_room(one) and self._suits(one, group)]
            shard = min(free, key=lambda one: len(one.sessions)) if free else await self._start_one()
            shard.sessions.add(session_id)
            shard.opened += 1
            shard.retired = shard.retired or shard.opened >= self.limits.openings
            self._where[session_id] = shard
            return shard

    def _has_room(self, shard: Shard) -> bool:
        return shard.alive and not shard.retired and len(shard.sessions) < self.limits.sessions

    def _suits(self, shard: Shard, group: int | None) -> bool:
        return all(self.suspects.group(other) == group for other in shard.sessions)

    def forget(self, session_id: UUID) -> None:
        """A session is closed, and its engine lives; one that has retired ends with its last session."""
        shard = self._where.pop(session_id, None)
        self.suspects.closed(session_id)
        if shard is not None:
            shard.sessions.discard(session_id)
            if shard.retired and not shard.sessions:
                shard.end_input()

    async def _start_one(self) -> Shard:
        if self._closed:
            raise EngineError("the provider is closed")
        shard = Shard(
            self._command, self._state_dir, self._on_event, self._died, send_seconds=self.limits.send_seconds
        )
        await shard.start()
        self._shards.append(shard)
        return shard

    def _died(self, process: EngineProcess) -> None:
        shard = next((one for one in self._shards if one is process), None)
        if shard is None:
            return
        self._shards.remove(shard)
        lost = [session_id for session_id, where in self._where.items() if where is shard]
        for session_id in lost:
            del self._where[session_id]
        if not self._closed:
            self.suspects.died(lost, crashed=shard.crashed)
            self._on_loss(lost)

    def too_large(self) -> list[Shard]:
        """Kill engines far above their memory limit, and retire those above it: they are to be emptied."""
        retired = []
        now = asyncio.get_running_loop().time()
        for shard in list(self._shards):
            used = shard.resident_mb()
            if used <= self.limits.memory_mb:
                continue
            log.warning("engine_too_large", pid=shard.pid, megabytes=round(used), limit=self.limits.memory_mb)
            if used > FAR_ABOVE * self.limits.memory_mb:
                shard.kill()
            elif len(shard.sessions) > 1 or now - shard.born > SETTLED_AGE:
                shard.retired = True
                retired.append(shard)
        return retired
