"""One engine child process: calls with answers, events, and the news of its death."""

import asyncio
import contextlib
import itertools
import os
import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog

from worker.engine import framing, protocol
from worker.engine.framing import Frame
from worker.engine.protocol import Call
from worker.errors import EngineError, EngineRefused

log = structlog.get_logger()

#: How long an engine may take from its start to its first answer, seconds (measured: 0.25).
START_TIMEOUT = 30.0

#: How long an engine may take to end once its input has, seconds (it allows itself 2).
STOP_TIMEOUT = 4.0

#: First lines of a crash that are safe to log; any other line may hold what a person wrote.
_CRASH = re.compile(
    r"(fatal error: [a-z ]+|panic: runtime error: [a-z ]+|SIG[A-Z]+|[A-Z][A-Za-z]*(?:Error|Exit)\b)"
)

#: What the library prints whenever a client connects.
_NOISE = "Press Ctrl+C to exit"


class EngineProcess:
    """An engine that runs. on_event gets every event frame in order; on_exit is called once, after its end.

    send_seconds: a send that takes longer ends its session.
    """

    def __init__(
        self,
        command: Sequence[str],
        state_dir: Path,
        on_event: Callable[[Frame], None],
        on_exit: Callable[["EngineProcess"], None],
        *,
        send_seconds: float = 100.0,
    ) -> None:
        self._send_seconds = send_seconds
        self.exit_code: int | None = None
        self._command = [*command, str(state_dir)]
        self._on_event = on_event
        self._on_exit = on_exit
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Frame]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = asyncio.Event()

    @property
    def alive(self) -> bool:
        """Whether calls may be made."""
        return self._process is not None and not self._ended.is_set()

    @property
    def pid(self) -> int:
        """The process id of the engine; 0 before its start."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start the child and wait for its first answer; EngineError if we can't understand it."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # a signal to the daemon's group is the daemon's to handle
            )
        except OSError as error:
            raise EngineError(f"ENGINE_COMMAND can't be started: {error.strerror}") from error
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._listen())]
        try:
            hello = await self.call(Call.HELLO, timeout=START_TIMEOUT, send_seconds=self._send_seconds)
        except EngineError:
            await self.stop()
            raise
        if hello.get("protocol") != protocol.VERSION:
            await self.stop()
            raise EngineError(f"the engine speaks protocol {hello.get('protocol')}, we speak {protocol.VERSION}")
        log.info("engine_started", pid=self.pid, version=str(hello.get("engine")))

    async def call(self, name: str, *, timeout: float, **arguments: Any) -> Frame:
        """Make a call; EngineRefused with its error, EngineError if it is dead, or silent for ``timeout``."""
        process = self._process
        if process is None or process.stdin is None or self._ended.is_set():
            raise EngineError("the engine is not running")
        call_id = next(self._ids)
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._pending[call_id] = answer
        try:
            async with asyncio.timeout(timeout):
                process.stdin.write(framing.pack(protocol.request(call_id, name, arguments)))
                with contextlib.suppress(ConnectionError):  # then it has ended, which fails the answer
                    await process.stdin.drain()
                frame = await answer
        except TimeoutError:
            raise EngineError(f"the engine did not answer {name} within {timeout:.0f} s") from None
        finally:
            self._pending.pop(call_id, None)
        if "error" in frame:
            error = frame["error"]
            raise EngineRefused(str(error.get("code")), str(error.get("detail", "")), error.get("wa_message_id"))
        body: Frame = frame.get("ok", {})
        return body

    async def _read(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        try:
            while True:
                header = await process.stdout.readexactly(framing.HEADER)
                frame = framing.unpack(await process.stdout.readexactly(framing.body_length(header)))
                if "event" in frame:
                    self._on_event(frame)
                elif (answer := self._pending.get(frame.get("id", 0))) is not None and not answer.done():
                    answer.set_result(frame)
        except asyncio.IncompleteReadError:
            pass
        except Exception as error:
            log.exception("engine_broke_the_protocol", pid=process.pid, kind=type(error).__name__)
        self.kill()
        code = self.exit_code = await process.wait()
        self._ended.set()
        for answer in list(self._pending.values()):
            if not answer.done():
                answer.set_exception(EngineError("the engine ended"))
        log.info("engine_ended", pid=process.pid, exit_code=code)
        self._on_exit(self)

    async def _listen(self) -> None:
        process = self._process
        assert process is not None
        assert process.stderr is not None
        while line := await _line(process.stderr):
            text = line.decode(errors="replace").strip()
            if text and text != _NOISE:
                known = _CRASH.search(text)
                log.warning("engine_said", pid=process.pid, code=known[0] if known else "", bytes=len(line))

    def kill(self) -> None:
        """End it at once; what it was doing is looked up in the stores."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    async def kill_and_wait(self) -> None:
        """End it at once and return when nothing of it can send any more."""
        self.kill()
        if self._process is not None:
            await self._ended.wait()

    def end_input(self) -> None:
        """Close its input, so that it stops its clients and ends."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def stop(self) -> None:
        """Have it end; kill it if it doesn't."""
        if self._process is None:
            return
        self.end_input()
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._ended.wait()
        except TimeoutError:
            await self.kill_and_wait()
        await asyncio.gather(*self._tasks)


async def _line(stream: asyncio.StreamReader) -> bytes:
    """Read a line; of one that is longer than the buffer, its pieces."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as rest:
        return rest.partial
    except asyncio.LimitOverrunError as long:
        return await stream.read(long.consumed)
