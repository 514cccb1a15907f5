"""Clients of WS /api/events, and what happens in an organisation while they listen."""

import asyncio
import socket as sockets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import aiohttp
from aiohttp import WSMsgType

from tests.kit.database import Row, Run
from tests.kit.served_api import PROXY_KEY, Ground, Organization, Served

PATIENCE = 15.0
PNG = "data:image/png;base64,AAAA"


class Listener:
    """A client: what it was told, and how its connection ended."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.told: list[Row] = []

    async def next(self) -> Row:
        """Wait for the next message."""
        async with asyncio.timeout(PATIENCE):
            message = await self.socket.receive()
        if message.type is not WSMsgType.TEXT:
            raise AssertionError(f"closed with {self.socket.close_code} {message.extra} after {self.told}")
        said: Row = message.json()
        self.told.append(said)
        return said

    async def until(self, kind: str, **wanted: Any) -> Row:
        """Wait for a message of this type with these values; what comes before it is kept in ``told``."""
        while True:
            said = await self.next()
            if said["type"] == kind and all(said.get(name) == value for name, value in wanted.items()):
                return said

    async def closes(self) -> tuple[int | None, str]:
        """Wait for the end: its code and reason."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.socket.receive()
                if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR):
                    return self.socket.close_code, str(message.extra or "")

    async def subscribe(self, sessions: Any = "all") -> Row:
        """Subscribe; the snapshot."""
        await self.socket.send_json({"type": "subscribe", "sessions": sessions})
        return await self.until("snapshot")

    def heard(self, kind: str) -> list[Row]:
        return [said for said in self.told if said["type"] == kind]


Connect = Callable[..., Any]


@asynccontextmanager
async def connected(api: Served, **request: Any) -> AsyncIterator[Listener]:
    async with api.http.ws_connect(f"{api.url}/api/events", **request) as socket:
        yield Listener(socket)


def report(ground: Ground, session: UUID, status: str, **facts: Any) -> None:
    """Write what the holder of an account sees, as a worker does."""
    ground.db.run("update public.whatsapp_sessions set desired_state = 'connected' where id = %s", session)
    run = Run(ground.db)
    run.heartbeat(capacity=1000, lease=60)
    run.report(session, status=status, **facts)
    ground.db.call("whatsapp_lease_release", **run.fence(session))


def connect_account(ground: Ground, session: UUID) -> str:
    """Report that an account is connected, by a phone that no other account has; its number."""
    phone = f"+49170{session.int % 10**8:08}"
    report(ground, session, "connected", whatsapp_id="49170@s.whatsapp.net", phone_number=phone)
    return phone


def settle(ground: Ground, message: UUID, **columns: Any) -> None:
    """Write what became of a message, as its settling does."""
    names = ", ".join(f"{name} = %s" for name in columns)
    sql: Any = f"update public.scheduled_whatsapp_messages set {names} where id = %s"
    ground.db.run(sql, *columns.values(), message)


def inbound(ground: Ground, organization: Organization, session: UUID, text: str) -> None:
    person = ground.db.insert(
        "public.whatsapp_contacts", organization_id=organization.id, lid=f"{uuid4().int % 10**15}@lid"
    )
    chat = ground.db.insert(
        "public.whatsapp_conversations", organization_id=organization.id, session_id=session, contact_id=person
    )
    ground.db.insert(
        "public.whatsapp_messages",
        organization_id=organization.id,
        session_id=session,
        conversation_id=chat,
        direction="inbound",
        wa_message_id=uuid4().hex,
        content=text,
        sent_at=ground.db.now(),
    )


@asynccontextmanager
async def reluctant(api: Served, token: str) -> AsyncIterator[tuple[Listener, asyncio.ReadTransport]]:
    """A client with a narrow socket, and the transport that it reads from."""

    def narrow(address: Any) -> sockets.socket:
        made = sockets.socket(address[0], address[1])
        made.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        return made

    connector = aiohttp.TCPConnector(socket_factory=narrow)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=4096) as http:
        there = Served(api.url, api.api, api.woken, http)
        async with connected(there, protocols=("herald.v1", f"bearer.{token}")) as listener:
            connection = listener.socket._response.connection
            assert connection
            transport = connection.transport
            assert isinstance(transport, asyncio.ReadTransport)
            yield listener, transport


async def clients(api: Served) -> int:
    text = (await api.ask("GET", "/metrics", key=PROXY_KEY)).content.decode()
    (line,) = [line for line in text.splitlines() if line.startswith("herald_event_clients ")]
    return int(float(line.split()[1]))


async def clients_are(api: Served, count: int) -> bool | None:
    return await clients(api) == count or None
