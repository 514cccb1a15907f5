"""A small real server in the worker's place, for what a worker doesn't do on demand: be slow, answer garbage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

KEY = "the-key-that-no-browser-sees-0123456789"


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as it came in."""

    method: str
    path: str  #: with its query, as it was quoted
    headers: dict[str, str]
    body: str


@dataclass
class Vps:
    """Tells what it heard and answers as `behaves` says."""

    url: str = ""
    behaves: str = "well"
    heard: list[Heard] = field(default_factory=list)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.heard.append(Heard(request.method, request.raw_path, headers, body))
        if headers.get("x-api-key") != KEY:
            problem = {"status": 401, "code": "key-wrong", "title": "Unauthorized", "request_id": "x"}
            return web.json_response(problem, status=401, content_type="application/problem+json")
        if request.path == "/elsewhere":
            return web.json_response({"followed": True})
        match self.behaves:
            case "slowly":
                await self.hurry.wait()
            case "with a page":
                return web.Response(text="<h1>Welcome to nginx!</h1>", content_type="text/html")
            case "with a gateway's error":
                return web.Response(status=502, text="<h1>Bad Gateway</h1>", content_type="text/html")
            case "with broken JSON":
                return web.Response(text='{"half": ', content_type="application/json")
            case "with a redirect":
                raise web.HTTPTemporaryRedirect(f"{self.url}/elsewhere")
            case "by hanging up":
                assert request.transport
                request.transport.abort()
            case "with the key":
                return web.json_response({"you sent": headers})
            case "with too much":
                return web.Response(body=b'"' + b"x" * (9 * 2**20) + b'"', content_type="application/json")
            case "cut off":
                cut = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
                await cut.prepare(request)
                await cut.write(b'{"half": ')
                assert request.transport
                request.transport.abort()
                return cut
            case "with a problem":
                problem = {"status": 429, "code": "too-many", "title": "Too Many Requests", "request_id": "x"}
                return web.json_response(
                    problem,
                    status=429,
                    content_type="application/problem+json",
                    headers={"Retry-After": "7", "Location": self.url, "Set-Cookie": "a=b"},
                )
        return web.json_response({"answered": request.path}, headers={"Server": "secret-name"})


@asynccontextmanager
async def serving() -> AsyncIterator[Vps]:
    """A VPS on loopback for the length of the block."""
    vps = Vps()
    app = web.Application(client_max_size=4 * 2**20)
    app.router.add_route("*", "/{path:.*}", vps.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    vps.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vps
    finally:
        vps.hurry.set()
        await runner.cleanup()
