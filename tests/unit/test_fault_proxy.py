"""The TCP proxy that makes a network bad: what each side of a connection sees."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from tests.kit.faults.lane import Shape
from tests.kit.faults.proxy import Direction, TcpProxy

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def received() -> bytearray:
    """What the server behind the proxy received."""
    return bytearray()


@pytest.fixture
async def proxy(received: bytearray) -> AsyncIterator[TcpProxy]:
    """In front of a server that sends everything back, and closes when its client does."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(65536):
                received.extend(chunk)
                writer.write(chunk)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, TcpProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as made:
        yield made


@pytest.fixture
async def connect(proxy: TcpProxy) -> AsyncIterator[Connect]:
    """Opens connections through the proxy."""
    opened: list[asyncio.StreamWriter] = []

    async def open_one() -> Client:
        count = proxy.accepted
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        opened.append(writer)
        await proxy.until_connected(count + 1)
        return reader, writer

    yield open_one
    for writer in opened:
        writer.close()


async def silent(reader: asyncio.StreamReader, seconds: float = 0.1) -> bool:
    """Whether nothing comes, not even an end, for so long."""
    try:
        async with asyncio.timeout(seconds):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def test_bytes_pass_both_ways_and_are_counted(proxy: TcpProxy, connect: Connect) -> None:
    reader, writer = await connect()
    sent = bytes(range(256)) * 20_000
    writer.write(sent)
    assert await reader.readexactly(len(sent)) == sent
    await proxy.links[0].down.until_passed(len(sent))
    assert (proxy.passed(Direction.UP), proxy.passed(Direction.DOWN)) == (len(sent), len(sent))
    assert proxy.accepted == 1


async def test_an_end_is_passed_on_and_ends_the_connection(proxy: TcpProxy, connect: Connect) -> None:
    reader, writer = await connect()
    [link] = proxy.links
    writer.write(b"last words")
    writer.write_eof()
    assert await reader.read() == b"last words"
    await link.until_closed()
    assert proxy.links == []
    assert proxy.passed(Direction.UP) == len(b"last words")


async def test_latency_delays_each_way_and_keeps_the_order(proxy: TcpProxy, connect: Connect) -> None:
    proxy.shape(Shape(latency=0.1, jitter=0.05))
    reader, writer = await connect()
    began = time.monotonic()
    for number in range(10):
        writer.write(bytes([number]))
        await asyncio.sleep(0.002)
    assert await reader.readexactly(10) == bytes(range(10))
    assert 0.1 <= time.monotonic() - began < 2


async def test_a_rate_limits_one_way(proxy: TcpProxy, connect: Connect) -> None:
    proxy.shape(Shape(rate=100_000), Direction.UP)
    reader, writer = await connect()
    began = time.monotonic()
    writer.write(bytes(30_000))
    await reader.readexactly(30_000)
    assert 0.25 <= time.monotonic() - began < 2


async def test_a_reset_is_seen_by_both_sides(proxy: TcpProxy, connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(b"x")
    await reader.readexactly(1)
    [link] = proxy.links
    link.reset()
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    await link.until_closed()


async def test_a_connection_is_reset_after_exactly_so_many_bytes(
    proxy: TcpProxy, connect: Connect, received: bytearray
) -> None:
    reader, writer = await connect()
    [link] = proxy.links
    link.up.stop_after(1000)
    writer.write(bytes(5000))
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(5000)
    await link.until_closed()
    assert link.up.passed == 1000
    assert len(received) <= 1000


async def test_what_is_withheld_passes_later_in_order(
    proxy: TcpProxy, connect: Connect, received: bytearray
) -> None:
    reader, writer = await connect()
    proxy.withhold(Direction.UP)
    [link] = proxy.links
    writer.write(b"query message")
    await link.up.until_waiting(13)
    assert not received
    link.up.let_through(6)
    assert await reader.readexactly(6) == b"query "
    assert await silent(reader)
    assert (link.up.waiting, link.up.kept) == (7, 7)
    await proxy.heal()
    assert await reader.readexactly(7) == b"message"


async def test_withholding_holds_for_newcomers_and_only_one_way(
    proxy: TcpProxy, connect: Connect, received: bytearray
) -> None:
    proxy.withhold(Direction.DOWN)
    reader, writer = await connect()
    writer.write(b"asked")
    await proxy.until_kept(Direction.DOWN)
    assert received == b"asked"
    assert await silent(reader)


async def test_what_a_dead_client_left_withheld_never_arrives_after_a_cut(
    proxy: TcpProxy, connect: Connect, received: bytearray
) -> None:
    _, writer = await connect()
    proxy.withhold(Direction.UP)
    [link] = proxy.links
    writer.write(b"too late")
    await link.up.until_waiting(8)
    writer.transport.abort()
    await proxy.cut()
    await link.until_closed()
    await proxy.heal()
    reader, writer = await connect()
    writer.write(b"next")
    await reader.readexactly(4)
    assert received == b"next"


async def test_a_half_open_connection_lives_and_carries_nothing(
    proxy: TcpProxy, connect: Connect, received: bytearray
) -> None:
    reader, writer = await connect()
    [link] = proxy.links
    link.half_open()
    writer.write(b"into the void")
    assert await silent(reader)
    writer.write_eof()
    assert await silent(reader)
    assert (link.closed, bytes(received), link.up.swallowed) == (False, b"", 13)


async def test_a_cut_refuses_newcomers_until_it_heals(proxy: TcpProxy, connect: Connect) -> None:
    reader, _ = await connect()
    await proxy.cut()
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
    await proxy.heal()
    reader, writer = await connect()
    writer.write(b"back")
    assert await reader.readexactly(4) == b"back"


async def test_a_client_is_cut_off_when_the_target_is_away() -> None:
    async with TcpProxy("127.0.0.1", 1) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        await proxy.until_connected()
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert (proxy.accepted, proxy.unreached) == (1, 1)


async def test_waiting_says_what_it_saw(proxy: TcpProxy, connect: Connect) -> None:
    await connect()
    [link] = proxy.links
    with pytest.raises(TimeoutError, match="0 of 5 bytes passed"):
        await link.up.until_passed(5, 0.05)
    with pytest.raises(TimeoutError, match="1 of 2 clients came"):
        await proxy.until_connected(2, 0.05)
