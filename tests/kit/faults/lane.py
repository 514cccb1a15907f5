"""One direction of a proxied connection: what was read waits here until it is due and may pass."""

import asyncio
import random
from collections import deque
from dataclasses import dataclass

from simulator.events import Changes

#: Bytes read at once, and how many may wait while they may pass; what is withheld has no limit.
CHUNK, WINDOW = 65_536, 1 << 20

#: A limited bandwidth goes out in so many pieces a second.
PIECES = 20


@dataclass(frozen=True, slots=True)
class Shape:
    """How slow a direction is: each piece is late by latency ± jitter seconds; rate is in bytes a second."""

    latency: float = 0.0
    jitter: float = 0.0
    rate: float | None = None


class Lane:
    """Bytes from a reader to a writer, in order.

    passed: how many were written on.  waiting: how many were read and not written on, because they are delayed or
    withheld.  swallowed: how many vanished.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, shape: Shape, changes: Changes
    ) -> None:
        self._reader, self._writer = reader, writer
        self._changes = changes
        self.shape = shape
        self.withheld = False
        self.swallowing = False
        self.passed = self.waiting = self.swallowed = 0
        self._allowance = 0  #: how many of the withheld bytes may pass
        self._limit: int | None = None
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._turn = asyncio.Event()  #: something that the writer waits for has changed
        self._room = asyncio.Event()  #: something that the reader waits for has changed
        self._ended = False
        self.limit_reached = False

    async def carry(self) -> None:
        """Carry bytes until the reader's end has been passed on, or the limit is reached."""
        reading = asyncio.create_task(self._read())
        try:
            await self._write()
        finally:
            reading.cancel()

    def withhold(self) -> None:
        """Let nothing pass from now on; what comes is kept."""
        self.withheld, self._allowance = True, 0
        self._room.set()

    def let_through(self, count: int) -> None:
        """Pass so many bytes of what is kept, and go on withholding the rest."""
        self._allowance += min(count, self.kept)
        self._turn.set()

    def release(self) -> None:
        """Let everything pass again, first what was withheld."""
        self.withheld = self.swallowing = False
        self._turn.set()

    def swallow(self) -> None:
        """Let everything vanish from now on, also what waits; the connection seems to live."""
        self.swallowing = True
        self.swallowed += self.waiting
        self._chunks.clear()
        self.waiting = 0
        self._turn.set()
        self._room.set()

    def stop_after(self, count: int) -> None:
        """Let so many more bytes pass; then this lane ends, and its link with it."""
        self._limit = count
        self._turn.set()

    @property
    def kept(self) -> int:
        """Bytes that wait and may not pass."""
        return self.waiting - self._allowance if self.withheld else 0

    async def until_passed(self, count: int, seconds: float = 10) -> None:
        """Wait until so many bytes have passed since the connection began."""
        if not await self._changes.until(lambda: self.passed >= count, seconds):
            raise TimeoutError(f"{self.passed} of {count} bytes passed within {seconds:g} s")

    async def until_waiting(self, count: int = 1, seconds: float = 10) -> None:
        """Wait until so many bytes are withheld or delayed."""
        if not await self._changes.until(lambda: self.waiting >= count, seconds):
            raise TimeoutError(f"{self.waiting} of {count} bytes wait within {seconds:g} s")

    async def _read(self) -> None:
        clock, due = asyncio.get_running_loop().time, 0.0
        try:
            while chunk := await self._reader.read(CHUNK):
                if self.swallowing:
                    self.swallowed += len(chunk)
                    continue
                shape = self.shape
                delay = shape.latency + random.uniform(-shape.jitter, shape.jitter)
                due = max(due, clock() + delay)  # never before earlier bytes
                self._chunks.append((due, chunk))
                self.waiting += len(chunk)
                self._changes.notify()
                self._turn.set()
                while self.waiting > WINDOW and not self.withheld:
                    self._room.clear()
                    await self._room.wait()
        except ConnectionError:
            pass
        self._ended = True
        self._turn.set()

    async def _write(self) -> None:
        while True:
            if (piece := await self._next()) is None:
                break
            self._writer.write(piece)
            await self._writer.drain()
            self.passed += len(piece)
            self._changes.notify()
            if self._limit is not None:
                self._limit -= len(piece)
            if self.shape.rate:
                await asyncio.sleep(len(piece) / self.shape.rate)
        if not self.limit_reached and self._writer.can_write_eof():
            self._writer.write_eof()

    async def _next(self) -> bytes | None:
        """The next bytes that may pass, once they are due; None at the end."""
        while True:
            if self._limit == 0:
                self.limit_reached = True
                return None
            if self._chunks and (allowed := self._allowed()):
                wait = self._chunks[0][0] - asyncio.get_running_loop().time()
                if wait <= 0:
                    return self._take(allowed)
                await self._turn_or(wait)
            elif self._ended and not self._chunks and not self.withheld and not self.swallowing:
                return None
            else:
                await self._turn_or(None)

    async def _turn_or(self, seconds: float | None) -> None:
        self._turn.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._turn.wait()
        except TimeoutError:
            return

    def _allowed(self) -> int:
        allowed = self._allowance if self.withheld else self.waiting
        if self._limit is not None:
            allowed = min(allowed, self._limit)
        if self.shape.rate:
            allowed = min(allowed, max(1, int(self.shape.rate / PIECES)))
        return allowed

    def _take(self, allowed: int) -> bytes:
        due, chunk = self._chunks.popleft()
        piece, rest = chunk[:allowed], chunk[allowed:]
        if rest:
            self._chunks.appendleft((due, rest))
        self.waiting -= len(piece)
        self._room.set()
        if self.withheld:
            self._allowance -= len(piece)
        return piece
