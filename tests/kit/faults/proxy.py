"""A TCP proxy on loopback that makes a network bad on demand: slow, cut, half-open, one-way.

For example:

    async with TcpProxy("127.0.0.1", 5432) as proxy:
        await proxy.until_connected()
        proxy.withhold(Direction.UP)
        await proxy.links[0].up.until_waiting()
        await proxy.cut()
"""

import asyncio
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from typing import Self

from simulator.events import Changes
from tests.kit.faults.lane import Lane, Shape


class Direction(StrEnum):
    """Which way, as seen from the client."""

    UP = "up"  #: client to server
    DOWN = "down"  #: server to client


BOTH = tuple(Direction)


class Link:
    """One proxied connection. up and down may be shaped, withheld, swallowed or limited each by itself."""

    def __init__(self, up: Lane, down: Lane, writers: Iterable[asyncio.StreamWriter], changes: Changes) -> None:
        self.up, self.down = up, down
        self._writers = tuple(writers)
        self._changes = changes
        self.closed = False

    def lane(self, direction: Direction) -> Lane:
        """The lane of a direction."""
        return self.up if direction is Direction.UP else self.down

    def half_open(self) -> None:
        """Let nothing pass either way while the connection seems to live."""
        self.up.swallow()
        self.down.swallow()

    def reset(self) -> None:
        """Send RST to both sides now; what waits is lost."""
        for writer in self._writers:
            with suppress(OSError):  # closed already
                no_linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
            writer.transport.abort()

    async def until_closed(self, seconds: float = 10) -> None:
        """Wait until both sides are closed."""
        if not await self._changes.until(lambda: self.closed, seconds):
            raise TimeoutError(f"the connection still lives after {seconds:g} s")

    async def carry(self) -> None:
        """Carry both ways until both have ended, one has reached its limit, or a side breaks."""
        tasks = [asyncio.create_task(lane.carry()) for lane in (self.up, self.down)]
        try:
            for finished in asyncio.as_completed(tasks):
                await finished
                if self.up.limit_reached or self.down.limit_reached:
                    self.reset()
                    break
        except OSError:
            self.reset()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for writer in self._writers:
                writer.close()
            self.closed = True
            self._changes.notify()


class TcpProxy:
    """Listens on a free port and connects every client to the target. What is set for all holds for newcomers too.

    links: the connections that live, oldest first.  accepted, unreached: how many clients have been connected, or
    cut off because the target was away; and how many of them the latter.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._changes = Changes()
        self._shapes = dict.fromkeys(BOTH, Shape())
        self._withheld: set[Direction] = set()
        self._swallowed: set[Direction] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passed = dict.fromkeys(BOTH, 0)
        self._server: asyncio.Server | None = None
        self.links: list[Link] = []
        self.accepted = self.unreached = 0
        # Holds the port while nobody listens on it, so that clients are refused and nobody else takes it.
        self._place = _socket(0)
        self.port: int = self._place.getsockname()[1]

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._place.close()

    def passed(self, direction: Direction) -> int:
        """Bytes that went a way, over all connections."""
        return self._passed[direction] + sum(link.lane(direction).passed for link in self.links)

    async def accept(self) -> None:
        """Take new connections, as at the start."""
        if self._server is None:
            listener = _socket(self.port)
            self._server = await asyncio.start_server(self._welcome, sock=listener, backlog=1024)

    def refuse(self) -> None:
        """Refuse new connections; those that live go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def cut(self) -> None:
        """Cut the network: reset every connection and refuse new ones."""
        self.refuse()
        await asyncio.sleep(0)  # a client that was accepted a moment ago is cut too
        for link in list(self.links):
            link.reset()
        for task in self._tasks:
            task.cancel()

    async def heal(self) -> None:
        """Undo everything that was set for all; live connections go on with what they withheld."""
        self.release()
        self.shape(Shape())
        await self.accept()

    def release(self, *directions: Direction) -> None:
        """Let directions pass again, by default both: first what was withheld. What has vanished stays so."""
        for direction in directions or BOTH:
            self._withheld.discard(direction)
            self._swallowed.discard(direction)
            for link in self.links:
                link.lane(direction).release()

    def shape(self, shape: Shape, *directions: Direction) -> None:
        """Make directions slow, by default both."""
        for direction in directions or BOTH:
            self._shapes[direction] = shape
            for link in self.links:
                link.lane(direction).shape = shape

    def withhold(self, *directions: Direction) -> None:
        """Let nothing pass, by default neither way; what comes is kept."""
        for direction in directions or BOTH:
            self._withheld.add(direction)
            for link in self.links:
                link.lane(direction).withhold()

    def half_open(self, *directions: Direction) -> None:
        """Let everything vanish, by default both ways, on connections that seem to live."""
        for direction in directions or BOTH:
            self._swallowed.add(direction)
            for link in self.links:
                link.lane(direction).swallow()

    async def until_connected(self, count: int = 1, seconds: float = 10) -> None:
        """Wait until so many clients have come since the start."""
        if not await self._changes.until(lambda: self.accepted >= count, seconds):
            raise TimeoutError(f"{self.accepted} of {count} clients came within {seconds:g} s")

    async def until_kept(self, direction: Direction, seconds: float = 10) -> None:
        """Wait until some connection has bytes that may not pass."""
        if not await self._changes.until(lambda: any(link.lane(direction).kept for link in self.links), seconds):
            raise TimeoutError(f"nobody sent anything within {seconds:g} s")

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(*self._target)
        except OSError:
            self.accepted += 1
            self.unreached += 1
            self._changes.notify()
            writer.transport.abort()
            return
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        up = Lane(reader, inner_writer, self._shapes[Direction.UP], self._changes)
        down = Lane(inner_reader, writer, self._shapes[Direction.DOWN], self._changes)
        link = Link(up, down, (writer, inner_writer), self._changes)
        for direction in BOTH:
            if direction in self._withheld:
                link.lane(direction).withhold()
            if direction in self._swallowed:
                link.lane(direction).swallow()
        self.links.append(link)
        self.accepted += 1
        self._changes.notify()
        try:
            await link.carry()
        finally:
            self.links.remove(link)
            for direction in BOTH:
                self._passed[direction] += link.lane(direction).passed


def _socket(port: int) -> socket.socket:
    """A socket bound to a loopback port, which others of ours may be bound to as well; 0 asks for a free one."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    made.setblocking(False)
    return made
