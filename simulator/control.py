"""The control API, JSON over HTTP: what owners do with their phones, what there is, which faults happen.

Requests:

    POST   /accounts {phone, name}                      create an account with a phone and no linked client
    GET    /accounts/{phone}                            its devices, queues, phone
    GET    /accounts/{phone}/wait?connected=N&unacknowledged=N&timeout=   until exactly N clients are connected,
                                                        N stanzas unacknowledged
    POST   /phones {phone, name, by_code?}              link and connect a real recipient; several clients of one
                                                        number are NUMBER:LABEL, NUMBER:phone is the phone itself
    POST   /phones/{phone}/scan {qr}                    the owner scans a QR code, given as its text
    POST   /phones/{phone}/code {code}                  … types a pairing code
    POST   /phones/{phone}/unlink {device?}             … removes a linked client (without `device`: all)
    POST   /phones/{phone}/offline | online             … switches the phone off and on
    POST   /phones/{phone}/read {message_ids?}          … reads messages (a real recipient does it in its client)
    POST   /phones/{phone}/confirm {to, message_id}     … confirms a message of any id (hex) to an account
    POST   /phones/{phone}/confirm-sends {on}           whether the phone confirms what its own account sends
    POST   /phones/{phone}/joins-when-added {on}        whether others may add the account to groups
    GET    /phones/{phone}/groups                       the groups of a real recipient, as its client sees them
    POST   /phones/{phone}/send {chat, text, image?, reply_to?}   a real recipient writes; image in base64
    POST   /phones/{phone}/react {message_id, emoji}    … reacts to a message that it received
    POST   /phones/{phone}/restart                      … stops its client and connects it again
    GET    /phones/{phone}/told?kind=&message_id=&timeout=        … hears of a receipt, a ban, a log-out, …
    POST   /groups {subject, admin, members, announce?}
    GET    /faults
    POST   /faults {kind, phone?, count?, code?, seconds?}
    DELETE /faults?kind=&phone=
    GET    /faults/wait?kind=&phone=&timeout=           wait until faults of that kind are used up or cleared
    GET    /state                                       counts
    GET    /messages                                    every message processed, and how many times
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from aiohttp import web

from simulator import views
from simulator.device import User
from simulator.faults import Fault, FaultKind
from simulator.own_phone import OwnPhone
from simulator.pairing import NotWaiting
from simulator.recipients import PHONE, RecipientFailed, Recipients, named
from simulator.server import ChatServer
from simulator.wire.stanza import JID, PHONE_SERVER

_Json = dict[str, Any]


@web.middleware
async def _tell_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer {error}: what the caller did wrong, or what failed."""
    try:
        return await handler(request)
    except NotWaiting as wrong:
        return web.json_response({"error": str(wrong)}, status=409)
    except (RecipientFailed, httpx.TransportError) as failed:
        return web.json_response({"error": str(failed) or type(failed).__name__}, status=502)
    except (ValueError, KeyError) as wrong:
        return web.json_response({"error": f"{type(wrong).__name__}: {wrong}"}, status=400)


class Control:
    """The control API of one simulator."""

    def __init__(self, server: ChatServer, recipients: Recipients) -> None:
        self._server, self._recipients = server, recipients

    def application(self) -> web.Application:
        application = web.Application(middlewares=[_tell_errors])
        application.add_routes(
            [
                web.post("/accounts", self._create_account),
                web.get("/accounts/{phone}", self._show_account),
                web.get("/accounts/{phone}/wait", self._wait_account),
                web.post("/phones", self._start_recipient),
                web.post("/phones/{phone}/scan", self._scan),
                web.post("/phones/{phone}/code", self._enter_code),
                web.post("/phones/{phone}/unlink", self._unlink),
                web.post("/phones/{phone}/offline", self._go_offline),
                web.post("/phones/{phone}/online", self._go_online),
                web.post("/phones/{phone}/read", self._read),
                web.post("/phones/{phone}/confirm", self._confirm),
                web.post("/phones/{phone}/confirm-sends", self._confirm_sends),
                web.post("/phones/{phone}/joins-when-added", self._joins_when_added),
                web.get("/phones/{phone}/groups", self._groups),
                web.post("/phones/{phone}/send", self._send),
                web.post("/phones/{phone}/react", self._react),
                web.post("/phones/{phone}/restart", self._restart),
                web.get("/phones/{phone}/told", self._told),
                web.post("/groups", self._create_group),
                web.get("/faults", self._show_faults),
                web.post("/faults", self._add_fault),
                web.delete("/faults", self._clear_faults),
                web.get("/faults/wait", self._wait_used_up),
                web.get("/state", self._state),
                web.get("/messages", self._messages),
            ]
        )
        return application

    # accounts

    async def _create_account(self, request: web.Request) -> web.Response:
        asked = await request.json()
        return web.json_response(self._describe(self._server.world.account(asked["phone"], asked.get("name"))))

    async def _show_account(self, request: web.Request) -> web.Response:
        return web.json_response(self._describe(self._user(request)))

    async def _wait_account(self, request: web.Request) -> web.Response:
        user = self._server.world.account(request.match_info["phone"])
        wanted = {
            name: int(request.query[name]) for name in ("connected", "unacknowledged") if name in request.query
        }

        def as_wanted() -> bool:
            found = {
                "connected": sum(device.connection is not None for device in user.clients),
                "unacknowledged": sum(len(device.outgoing) for device in user.clients),
            }
            return all(found[name] == count for name, count in wanted.items())

        in_time = await self._server.changes.until(as_wanted, float(request.query.get("timeout", "10")))
        return web.json_response({**self._describe(user), "in_time": in_time})

    # what the owner of a phone does

    async def _scan(self, request: web.Request) -> web.Response:
        qr_text = (await request.json())["qr"]
        phone, client = named(request.match_info["phone"])
        return web.json_response(views.linked(self._server.pairing.scan(phone, qr_text, as_phone=client == PHONE)))

    async def _enter_code(self, request: web.Request) -> web.Response:
        self._server.pairing.enter_code(request.match_info["phone"], (await request.json())["code"])
        return web.json_response({})

    async def _unlink(self, request: web.Request) -> web.Response:
        number = (await _body(request)).get("device")
        user = self._user(request)
        for device in user.clients:
            if number in (None, device.id):
                self._server.unlink(device)
        return web.json_response(self._describe(user))

    async def _go_offline(self, request: web.Request) -> web.Response:
        user = self._user(request)
        self._phone(user).go_offline()
        return web.json_response(self._describe(user))

    async def _go_online(self, request: web.Request) -> web.Response:
        user = self._user(request)
        self._phone(user).go_online()
        return web.json_response(self._describe(user))

    async def _confirm(self, request: web.Request) -> web.Response:
        user, asked = self._user(request), await request.json()
        told = self._server.world.account(asked["to"])
        self._phone(user).confirm(bytes.fromhex(asked["message_id"]).decode(errors="surrogateescape"), told)
        return web.json_response(self._describe(told))

    async def _confirm_sends(self, request: web.Request) -> web.Response:
        user = self._user(request)
        self._phone(user).confirms_sends = bool((await request.json())["on"])
        return web.json_response(self._describe(user))

    async def _joins_when_added(self, request: web.Request) -> web.Response:
        user = self._user(request)
        user.joins_when_added = bool((await request.json())["on"])
        return web.json_response(self._describe(user))

    async def _read(self, request: web.Request) -> web.Response:
        phone, asked = request.match_info["phone"], await _body(request)
        if self._recipients.has(phone):
            return web.json_response(await self._recipients.ask("read", {**asked, "phone": phone}))
        read = self._phone(self._user(request)).read(asked.get("message_ids"))
        return web.json_response({"message_ids": read})

    # real recipients

    async def _start_recipient(self, request: web.Request) -> web.Response:
        asked = await request.json()
        user = self._server.world.account(named(asked["phone"])[0], asked.get("name"))
        await self._recipients.start(asked["phone"], by_code=bool(asked.get("by_code")))
        return web.json_response(self._describe(user))

    async def _send(self, request: web.Request) -> web.Response:
        asked = {**await request.json(), "phone": request.match_info["phone"]}
        return web.json_response(await self._recipients.ask("send", asked))

    async def _react(self, request: web.Request) -> web.Response:
        asked = {**await request.json(), "phone": request.match_info["phone"]}
        return web.json_response(await self._recipients.ask("react", asked))

    async def _restart(self, request: web.Request) -> web.Response:
        asked = {"phone": request.match_info["phone"]}
        return web.json_response(await self._recipients.ask("restart", asked))

    async def _groups(self, request: web.Request) -> web.Response:
        return web.json_response(await self._recipients.ask("groups", {"phone": request.match_info["phone"]}))

    async def _told(self, request: web.Request) -> web.Response:
        query = {**request.query, "phone": request.match_info["phone"]}
        return web.json_response(await self._recipients.told(query))

    # groups, faults, state

    async def _create_group(self, request: web.Request) -> web.Response:
        asked, world = await request.json(), self._server.world
        admin = world.account(asked["admin"])
        members = [world.account(phone) for phone in asked["members"]]
        group = self._server.groups.create(
            asked["subject"], admin, members, announce=bool(asked.get("announce", False))
        )
        return web.json_response({"jid": str(group.jid), "size": len(group.roles)})

    async def _show_faults(self, _request: web.Request) -> web.Response:
        return web.json_response([dataclasses.asdict(fault) for fault in self._server.faults.active])

    async def _add_fault(self, request: web.Request) -> web.Response:
        asked: _Json = await request.json()
        self._server.strike(Fault(**{**asked, "kind": FaultKind(asked["kind"])}))
        return web.json_response({})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        kind = request.query.get("kind")
        self._server.faults.clear(FaultKind(kind) if kind else None, request.query.get("phone"))
        return web.json_response({})

    async def _wait_used_up(self, request: web.Request) -> web.Response:
        faults, kind = self._server.faults, FaultKind(request.query["kind"])
        phone, timeout = request.query.get("phone"), float(request.query.get("timeout", "10"))
        in_time = await self._server.changes.until(lambda: not faults.in_force(kind, phone), timeout)
        return web.json_response({"in_time": in_time})

    async def _state(self, _request: web.Request) -> web.Response:
        server = self._server
        return web.json_response(
            {
                "accounts": len(server.world.users),
                "groups": len(server.world.groups),
                "connected": len(server.connected()),
                "messages": len(server.router.processed()),
                "media": len(server.media),
                "faults": len(server.faults.active),
                "recipients": self._recipients.numbers(),
                "recipients_pid": self._recipients.pid,
                "stanzas": dict(server.stanzas),
            }
        )

    async def _messages(self, _request: web.Request) -> web.Response:
        return web.json_response([dataclasses.asdict(sent) for sent in self._server.router.processed()])

    def _describe(self, user: User) -> _Json:
        return views.account(user, self._phone(user))

    def _phone(self, user: User) -> OwnPhone:
        return self._server.world.own_phone(user)

    def _user(self, request: web.Request) -> User:
        phone = request.match_info["phone"]
        user = self._server.world.find(JID(phone, PHONE_SERVER))
        if user is None:
            raise web.HTTPNotFound(text=f"no account has the number {phone}")
        return user


async def _body(request: web.Request) -> _Json:
    """The posted object; empty if nothing was posted."""
    posted: _Json = await request.json() if request.can_read_body else {}
    return posted
