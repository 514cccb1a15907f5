"""WS /api/events: what happens to the caller's accounts and messages, as it happens. docs/events.md is its page.

A client on a server sends API key and token as with every call. A browser can't send headers, so it sends the user's
token as a subprotocol (``bearer.TOKEN`` beside ``herald.v1``) or in its first message. Never in the URL, because URLs
end up in logs.
"""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web

from worker.api.events.client import Client, Parts, admit
from worker.api.events.endings import GOING_AWAY
from worker.api.http.caller import Caller
from worker.api.http.problem import Problem

PROTOCOL = "herald.v1"

#: Seconds between pings; a client that does not answer in half the time is gone.
PING_SECONDS = 25.0

#: Bytes of a client's message: a token, or a thousand ids.
LARGEST_MESSAGE = 64 * 1024


class Events:
    """The endpoint: ``handle`` serves a client from its handshake to its end."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._clients: set[Client] = set()

    def __len__(self) -> int:
        return len(self._clients)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a client. Raises Problem before the handshake, nothing after it."""
        _check_handshake(request, self._parts.origins)
        caller = await self._caller(request)
        strangers = sum(client.stranger for client in self._clients) if caller is None else 0
        limits = self._parts.event_limits
        if len(self._clients) >= limits.clients or strangers >= limits.strangers:
            raise Problem(503, "too-many-clients", "This worker serves as many clients as it can.", retry_after=5)
        socket = web.WebSocketResponse(
            protocols=(PROTOCOL,), heartbeat=PING_SECONDS, max_msg_size=LARGEST_MESSAGE, compress=False
        )
        await socket.prepare(request)
        client = Client(socket, request, self._parts)
        self._clients.add(client)
        try:
            await client.serve(caller)
        finally:
            self._clients.discard(client)
        return socket

    async def _caller(self, request: web.Request) -> Caller | None:
        """Identify who connects; None if they have not identified themselves yet."""
        if "X-API-Key" in request.headers:
            caller = await self._parts.callers.identify(request)
            if caller.organization is None:
                raise Problem(400, "organization-needed", "Which organisation?", "Name it in the header X-Org-Id.")
        else:
            token = _offered(request, "bearer.")
            if token is None:
                return None
            organization = _offered(request, "org.")
            caller = await self._parts.callers.identify_user(token, _uuid(organization))
        await admit(caller, self._parts)
        return caller

    async def end(self) -> None:
        """Tell every client that the worker stops."""
        ends = (client.close(GOING_AWAY, "worker-stops: connect again") for client in list(self._clients))
        await asyncio.gather(*ends)


def _check_handshake(request: web.Request, origins: Sequence[str]) -> None:
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise Problem(
            426,
            "websocket-needed",
            "This is a WebSocket.",
            "See docs/events.md.",
            headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        )
    if request.query:
        raise Problem(
            400, "bad-request", "Nothing may stand in the URL here.", "Send the token as a subprotocol or message."
        )
    origin = request.headers.get("Origin")
    if origin is not None and origin not in origins and urlsplit(origin).netloc != request.host:
        raise Problem(
            403,
            "origin-not-allowed",
            "Pages of this origin may not connect.",
            "The operator sets ALLOWED_ORIGINS.",
        )


def _offered(request: web.Request, prefix: str) -> str | None:
    """Find the token in a browser's list of subprotocols."""
    offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    return next((text.strip()[len(prefix) :] for text in offered if text.strip().startswith(prefix)), None)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError:
        raise Problem(400, "bad-request", "org. is not the id of an organisation.", "It is a UUID.") from None
