"""One client of WS /api/events, from its first message to its close."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiohttp import WSMsgType, web
from pydantic import ValidationError

from worker.api.events.backlog import Backlog
from worker.api.events.client_messages import (
    CLIENT_MESSAGES,
    Authenticate,
    ClientMessage,
    Ping,
    Subscribe,
    Unsubscribe,
)
from worker.api.events.endings import (
    BAD_MESSAGE,
    NO_AUTHENTICATION,
    NO_TOKEN,
    NOT_ALLOWED,
    TOO_SLOW,
    ConnectionEnds,
    ending_of,
)
from worker.api.events.hub import Event, EventHub
from worker.api.events.limits import EventLimits
from worker.api.events.rights import Rights
from worker.api.http.caller import Caller, Callers
from worker.api.http.limits import Limits
from worker.api.http.problem import Problem
from worker.supabase.client import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the endpoint reaches."""

    callers: Callers
    limits: Limits
    database: Database
    hub: EventHub
    origins: Sequence[str]
    event_limits: EventLimits


class Client:
    """One connection; a Watcher of its caller's organisation. ``serve`` returns when it has ended."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, parts: Parts) -> None:
        self._socket = socket
        self._request = request
        self._parts = parts
        self._wanted: set[UUID] = set()
        self._all = False
        self._limits = parts.event_limits
        self._backlog: Backlog[Event | str] = Backlog(
            most_items=self._limits.backlog_items, most_bytes=self._limits.backlog_bytes
        )
        self._ending: asyncio.Task[None] | None = None
        self._look: asyncio.TimerHandle | None = None
        self._rights: Rights | None = None

    @property
    def stranger(self) -> bool:
        """Whether it has not identified itself yet."""
        return self._rights is None

    # ---- life

    async def serve(self, caller: Caller | None) -> None:
        """Serve it; caller: None if it has not identified itself yet. Raises nothing."""
        tasks: list[asyncio.Task[None]] = []
        organization: UUID | None = None
        try:
            caller = caller or await self._authenticated()
            organization = caller.organization
            assert organization
            self._rights = Rights(caller, self._who, self._parts.database, self._limits)
            self._look_at_token()
            self._say("ready", organization_id=str(organization), role=caller.role.value)
            tasks.append(asyncio.create_task(self._write_until_ended()))
            await self._parts.hub.join(organization, self)
            await self._read()
        except Exception as error:
            await self.close(*ending_of(error))
        finally:
            if self._look:
                self._look.cancel()
            if organization:
                await self._parts.hub.leave(organization, self)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._ending:
                await self._ending

    async def close(self, code: int, reason: str) -> None:
        """End the connection; by force if the client does not read."""
        with suppress(TimeoutError):
            await asyncio.wait_for(
                self._socket.close(code=code, message=reason.encode()[:123]), self._limits.close_seconds
            )
        if self._request.transport is not None:
            self._request.transport.abort()

    def _end_soon(self, code: int, reason: str) -> None:
        if self._ending is None:
            self._ending = asyncio.create_task(self.close(code, reason))

    async def _write_until_ended(self) -> None:
        """Write to the client; when writing ends, the connection ends."""
        try:
            await self._write()
        except Exception as error:
            self._end_soon(*ending_of(error))

    # ---- who it is

    async def _authenticated(self) -> Caller:
        try:
            async with asyncio.timeout(self._limits.authenticate_seconds):
                message = await self._next()
        except TimeoutError:
            raise ConnectionEnds(NO_AUTHENTICATION, "authenticate: send the user's token first") from None
        if not isinstance(message, Authenticate):
            raise ConnectionEnds(NO_TOKEN, "authenticate: send the user's token first")
        caller = await self._parts.callers.identify_user(message.token, message.organization)
        await admit(caller, self._parts)
        return caller

    async def _who(self) -> Caller:
        """Identify the caller again; Problem if the token has ended or they have left the organisation."""
        assert self._rights
        caller = self._rights.caller
        if caller.token is None:
            return caller
        return await self._parts.callers.identify_user(caller.token, caller.organization)

    def _look_at_token(self) -> None:
        """End the connection when the token expires. Checks again and again instead of computing the time left."""
        assert self._rights
        token = self._rights.caller.token
        if token is None:
            return
        if self._parts.callers.has_ended(token):
            self._end_soon(NO_TOKEN, "token-expired: refresh it and connect again")
        else:
            self._look = asyncio.get_running_loop().call_later(self._limits.token_seconds, self._look_at_token)

    # ---- messages from it

    async def _next(self) -> ClientMessage | None:
        """Wait for a message; None: it has closed."""
        message = await self._socket.receive()
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            return None
        if message.type is not WSMsgType.TEXT:
            raise ConnectionEnds(BAD_MESSAGE, "bad-message: send JSON as text")
        try:
            return CLIENT_MESSAGES.validate_json(message.data)
        except ValidationError:
            raise ConnectionEnds(
                BAD_MESSAGE, "bad-message: authenticate, subscribe, unsubscribe or ping; see docs/events.md"
            ) from None

    async def _read(self) -> None:
        while (message := await self._next()) is not None:
            match message:
                case Ping():
                    self._say("pong")
                case Subscribe():
                    await self._subscribe(message)
                case Unsubscribe(sessions="all"):
                    self._all, self._wanted = False, set()
                case Unsubscribe():
                    self._wanted.difference_update(message.sessions)
                case Authenticate():
                    await self._renew(message)

    async def _subscribe(self, message: Subscribe) -> None:
        """Subscribe first, then send the snapshot: changes in between follow the snapshot."""
        assert self._rights
        assert self._rights.caller.organization
        await self._parts.limits.request(self._rights.caller.organization)
        if message.sessions == "all":
            self._all = True
        else:
            self._wanted.update(message.sessions)
        accounts = await self._rights.accounts()
        for session in self._wanted - accounts.keys():
            self._wanted.discard(session)
            self._say("error", code="not-found", session_id=str(session))
        self._snapshot(accounts, gap=False)

    async def _renew(self, message: Authenticate) -> None:
        assert self._rights
        organization = message.organization or self._rights.caller.organization
        caller = await self._parts.callers.identify_user(message.token, organization)
        if not self._rights.renew(caller):
            raise ConnectionEnds(NOT_ALLOWED, "not-allowed: the next token must be the same user's")
        self._say("ready", organization_id=str(organization), role=caller.role.value)

    # ---- messages to it

    def offer(self, event: Event) -> None:
        """Take an event of the organisation; events that the caller may not see are dropped when they are sent."""
        if self._all or event.session_id in self._wanted:
            self._put(event, event.size)

    def missed(self) -> None:
        """Show the accounts again: events may have been missed."""
        if self._all or self._wanted:
            self._put(_GAP, 0)

    def _say(self, kind: str, **body: Any) -> None:
        text = _text({"type": kind, **body})
        self._put(text, len(text))

    def _put(self, item: Event | str, size: int) -> None:
        if not self._backlog.put(item, size):
            self._end_soon(TOO_SLOW, "too-slow: read faster, or subscribe to fewer accounts; then connect again")

    async def _write(self) -> None:
        assert self._rights
        while True:
            item = await self._backlog.get()
            if isinstance(item, str):
                await self._socket.send_str(item)
            elif item is _GAP:
                self._snapshot(await self._rights.accounts(), gap=True)
            elif await self._rights.allow(item):
                session = str(item.session_id) if item.session_id else None
                await self._socket.send_str(_text({"type": item.type, "session_id": session, **item.body}))

    def _snapshot(self, accounts: dict[UUID, dict[str, Any]], *, gap: bool) -> None:
        shown = [row for session, row in accounts.items() if self._all or session in self._wanted]
        self._say("snapshot", gap=gap, sessions=shown)


#: Placeholder for a snapshot, which is made when its turn comes.
_GAP = Event(type="gap", session_id=None, body={})


def _text(message: dict[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":"), default=str)


async def admit(caller: Caller, parts: Parts) -> None:
    """Count a client in, if there is room. Raises Problem 429."""
    assert caller.organization
    if parts.hub.watchers_of(caller.organization) >= parts.event_limits.of_one_organization:
        raise Problem(429, "too-many-clients", "The organisation has as many clients as may be.", retry_after=30)
    await parts.limits.request(caller.organization)
