"""What a network does to the worker's client, on real sockets: each fault is told as httpx's, and so as ours."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.kit.worker_process import free_port
from worker.errors import StoreError
from worker.supabase.client import Database
from worker.supabase.transport import AiohttpTransport

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@asynccontextmanager
async def serving(answer: Serve) -> AsyncIterator[str]:
    """A server that answers each connection by itself."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """The head of the request that comes in."""
    return await reader.readuntil(b"\r\n\r\n")


def saying(*parts: bytes) -> Serve:
    """Answer with these bytes, then close."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.writelines(parts)
        await writer.drain()

    return answer


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection once a request has come."""
    await request_of(reader)
    writer.transport.abort()


FAULTS: dict[str, tuple[Serve, type[httpx.HTTPError]]] = {
    "a connection that is reset": (reset, httpx.TransportError),
    "a connection that closes without an answer": (saying(), httpx.RemoteProtocolError),
    "no HTTP": (saying(b"SSH-2.0-OpenSSH_9.9\r\n"), httpx.RemoteProtocolError),
    "a body that is cut off": (saying(HEAD, b'Content-Length: 100\r\n\r\n{"expired"'), httpx.RemoteProtocolError),
    "a chunked body that is cut off": (
        saying(HEAD, b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1, 2\r\n"),
        httpx.RemoteProtocolError,
    ),
    "a body that is not compressed as it says": (
        saying(HEAD, b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
        httpx.DecodingError,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_the_network_is_one_of_httpx(fault: str) -> None:
    serve, kind = FAULTS[fault]
    async with serving(serve) as url, httpx.AsyncClient(transport=AiohttpTransport(1)) as http:
        with pytest.raises(kind):
            await http.get(url)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_the_network_is_supabase_being_away(fault: str) -> None:
    async with serving(FAULTS[fault][0]) as url:
        database = Database(url, "key", first_pause=0.001)
        with pytest.raises(StoreError, match="does not answer"):
            await database.call("whatsapp_reap", {}, attempts=2)
        await database.aclose()


async def test_a_port_without_a_server_is_no_connection() -> None:
    async with httpx.AsyncClient(transport=AiohttpTransport(1)) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://127.0.0.1:{free_port()}")


async def test_a_full_pool_is_given_up_in_time() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silent) as url:
        database = Database(url, "key", connections=1)
        calls = [database.call("whatsapp_reap", {}, attempts=1, seconds=0.2) for _ in range(3)]
        ended = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
        assert all(isinstance(one, StoreError) and "TimeoutError" in str(one) for one in ended)
        await database.aclose()


async def test_a_compressed_answer_is_read() -> None:
    body = zlib.compress(json.dumps({"expired": 1}).encode(), wbits=31)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with serving(saying(head, body)) as url:
        database = Database(url, "key")
        assert await database.call("whatsapp_reap", {}) == {"expired": 1}
        await database.aclose()


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
        await writer.drain()

    async with serving(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "elsewhere.test")
        database = Database("http://project.test", "key")
        assert await database.call("whatsapp_reap", {}) == {}
        await database.aclose()
    assert seen[0].startswith(b"POST http://project.test/rest/v1/rpc/whatsapp_reap ")
