"""A reverse proxy in front of Supabase that holds calls of database functions by name, or answers them badly.

One gate per worker: a gate's `url` is that worker's SUPABASE_URL, so each gate knows whose call it holds. All that
is not stopped passes as it is: REST, Auth, Storage, and Realtime's WebSocket. Its network can be made bad too
(`network`, a `TcpProxy` in front): latency, half-open connections, a cut and its healing.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Set
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn, Self

import aiohttp
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, WSMsgType, web
from multidict import CIMultiDict

from tests.kit.faults.hold import Exchange, Fate, Hold, Stage, any_call
from tests.kit.faults.proxy import TcpProxy

RPC = "/rest/v1/rpc/"
_SOCKET = "/realtime/v1/websocket"
_LARGEST = 64 * 2**20
_HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
#: Headers not forwarded: the target has its own host name, and answers must be readable, so uncompressed.
_REPLACED = {"host", "accept-encoding"}


class Trouble(StrEnum):
    """A bad answer. The database does not get the request, except of a slow one."""

    UNAVAILABLE = "unavailable"  #: 503, as a gateway whose PostgREST is away
    GARBAGE = "garbage"  #: 200 with something that is not JSON
    TOKEN_REFUSED = "token refused"  #: 401 PGRST303, as hosted projects answer a right key now and then
    FORBIDDEN = "forbidden"  #: 403, as if the key were another role's
    BROKEN = "broken"  #: 500 of Postgres
    BAD_GATEWAY = "bad gateway"  #: 502 with a page
    TOO_LARGE = "too large"  #: 54000: a value of this batch is too large for Postgres
    TIMED_OUT = "timed out"  #: 57014: the statement took too long
    RESET = "reset"  #: the connection is reset instead of an answer
    SLOW = "slow"  #: the true answer, late
    SILENT = "silent"  #: no answer at all, on a connection that stays


#: Status and body of a bad answer: those of PostgREST (12 to 14 have the same four keys) or of a proxy before it.
_ANSWERS: Mapping[Trouble, tuple[int, dict[str, str | None] | str]] = {
    Trouble.UNAVAILABLE: (503, {"message": "PostgREST is away; try again."}),
    Trouble.GARBAGE: (200, "<html>not what you asked for"),
    Trouble.TOKEN_REFUSED: (
        401,
        {"code": "PGRST303", "details": None, "hint": None, "message": "JWT issued at future"},
    ),
    Trouble.FORBIDDEN: (
        403,
        {"code": "42501", "details": None, "hint": None, "message": "permission denied for schema public"},
    ),
    Trouble.BROKEN: (500, {"code": "XX000", "details": None, "hint": None, "message": "could not read block 0"}),
    Trouble.BAD_GATEWAY: (502, "<html><head><title>502 Bad Gateway</title></head></html>"),
    Trouble.TOO_LARGE: (
        500,
        {"code": "54000", "details": None, "hint": None, "message": "array size exceeds the maximum allowed"},
    ),
    Trouble.TIMED_OUT: (
        500,
        {
            "code": "57014",
            "details": None,
            "hint": None,
            "message": "canceling statement due to statement timeout",
        },
    ),
}


@dataclass(slots=True)
class _Troubled:
    """A trouble in force. name: of the function, or a path; None: all functions.  left: how often; None: ever."""

    trouble: Trouble
    name: str | None
    left: int | None
    seconds: float


class HttpGate:
    """In front of one Supabase URL. calls: how often each function was called."""

    network: TcpProxy

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._holds: list[Hold] = []
        self._troubles: list[_Troubled] = []
        self._exits = AsyncExitStack()
        self.calls: Counter[str] = Counter()

    async def __aenter__(self) -> Self:
        self._client = await self._exits.enter_async_context(
            ClientSession(
                connector=TCPConnector(limit=0),
                timeout=ClientTimeout(total=None, connect=5),
                auto_decompress=False,
                cookie_jar=DummyCookieJar(),
            )
        )
        application = web.Application(client_max_size=_LARGEST)
        application.add_routes([web.get(_SOCKET, self._socket), web.route("*", "/{path:.*}", self._handle)])
        # a caller that has died must not have its held request forwarded: its handler ends with its connection
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        self._exits.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.network = await self._exits.enter_async_context(TcpProxy(*runner.addresses[0]))
        self._exits.callback(self.open)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    @property
    def url(self) -> str:
        """The value for SUPABASE_URL."""
        return f"http://127.0.0.1:{self.network.port}"

    def hold(self, name: str, stage: Stage, when: Callable[[Exchange], bool] = any_call, *, nth: int = 1) -> Hold:
        """Stop the nth call of a function, from now on, that matches."""
        made = Hold(name, stage, when, nth)
        self._holds = [hold for hold in self._holds if not hold.over] + [made]
        return made

    def trouble(
        self, trouble: Trouble, name: str | None = None, *, count: int | None = None, seconds: float = 1
    ) -> None:
        """Answer calls of a function (None: of every one), or of a path, badly, `count` times or until `open`."""
        self._troubles.append(_Troubled(trouble, name, count, seconds))

    def open(self) -> None:
        """End every trouble and let go what is held; the network is healed by itself (`network.heal`)."""
        self._troubles.clear()
        for hold in self._holds:
            hold.release()
        self._holds.clear()

    async def _handle(self, request: web.Request) -> web.Response:
        exchange: Exchange | None = None
        body = await request.read()
        if request.path.startswith(RPC):
            exchange = Exchange(request.path.removeprefix(RPC), _parsed(body))
            self.calls[exchange.name] += 1
            await self._stop(Stage.REQUEST, exchange, request)
            if bad := await self._bad_answer(request, {exchange.name, None}):
                return bad
        elif bad := await self._bad_answer(request, {request.path}):
            return bad
        answer = await self._forward(request, body)
        if exchange:
            exchange.status = answer.status
            exchange.answer = _parsed(answer.body if isinstance(answer.body, bytes) else b"")
            await self._stop(Stage.ANSWER, exchange, request)
        return answer

    async def _stop(self, stage: Stage, exchange: Exchange, request: web.Request) -> None:
        for hold in [hold for hold in self._holds if hold.takes(stage, exchange)]:
            if await hold.stop(exchange) is Fate.DROP:
                await _cut(request)

    async def _bad_answer(self, request: web.Request, names: Set[str | None]) -> web.Response | None:
        for found in self._troubles:
            if found.name not in names:
                continue
            if found.left is not None:
                found.left -= 1
                if found.left <= 0:
                    self._troubles.remove(found)
            if found.trouble in _ANSWERS:
                status, body = _ANSWERS[found.trouble]
                if isinstance(body, str):
                    return web.Response(status=status, text=body, content_type="text/html")
                return web.json_response(body, status=status)
            match found.trouble:
                case Trouble.RESET:
                    await _cut(request)
                case Trouble.SLOW:
                    await asyncio.sleep(found.seconds)
                    return None
                case Trouble.SILENT:
                    await asyncio.get_running_loop().create_future()
        return None

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = _end_to_end(request.headers, without=_REPLACED)
        headers["Accept-Encoding"] = "identity"
        try:
            async with self._client.request(
                request.method,
                self._upstream + request.raw_path,
                headers=headers,
                data=body or None,
                allow_redirects=False,
            ) as answer:
                read = await answer.read()
                return web.Response(status=answer.status, headers=_end_to_end(answer.headers), body=read or None)
        except aiohttp.ClientError:
            return await _cut(request)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        handshake = {name.lower() for name in request.headers if name.lower().startswith("sec-websocket")}
        try:
            inner = await self._client.ws_connect(
                self._upstream + request.raw_path,
                headers=_end_to_end(request.headers, without=_REPLACED | handshake),
                max_msg_size=_LARGEST,
            )
        except aiohttp.ClientError:
            return await _cut(request)
        async with inner:
            outer = web.WebSocketResponse(max_msg_size=_LARGEST)
            await outer.prepare(request)
            ways = [asyncio.create_task(_relay(outer, inner)), asyncio.create_task(_relay(inner, outer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
            if inner.close_code is None or inner.close_code == 1006:
                await _cut(request)  # cut off without a goodbye, so its client is cut off too
            await outer.close(code=inner.close_code)
        return outer


_AnySocket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse


async def _relay(source: _AnySocket, sink: _AnySocket) -> None:
    with suppress(ConnectionError):
        async for message in source:
            if message.type is WSMsgType.TEXT:
                await sink.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await sink.send_bytes(message.data)


async def _cut(request: web.Request) -> NoReturn:
    """Cut the caller's connection, with which this handler is cancelled."""
    if request.transport:
        request.transport.abort()
    await asyncio.get_running_loop().create_future()
    raise AssertionError("unreachable")


def _parsed(body: bytes) -> Any:
    """The JSON of a body; None if it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _end_to_end(headers: Mapping[str, str], without: Set[str] = frozenset()) -> CIMultiDict[str]:
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() not in _HOP_BY_HOP and name.lower() not in without:
            kept.add(name, value)
    return kept
