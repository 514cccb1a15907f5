"""The chat server: sockets, handshake, login, and which part answers which stanza."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from functools import partial

from aiohttp import WSMsgType, web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from simulator import prekeys, usync
from simulator.connection import Connection
from simulator.device import Device, Socket
from simulator.events import Changes
from simulator.faults import AT_ONCE, Fault, FaultKind, Faults
from simulator.groups import Groups
from simulator.iq import ITEM_NOT_FOUND, Iq, IqRefused
from simulator.media import MediaStore, media_connection
from simulator.pairing import Pairing
from simulator.routing import Router
from simulator.wire import protobuf
from simulator.wire.noise import FrameReader, Handshake, frame, split_header
from simulator.wire.signing import SigningKey, certificate_chain
from simulator.wire.stanza import SERVER, Attributes, Node, now
from simulator.world import World

log = logging.getLogger(__name__)

_BANNED, _OUTDATED, _LOGGED_OUT, _PHONE_GONE = "402", "405", "401", "403"
_VERSION_PAGE = '"client_revision":1029999999,'


class ChatServer:
    """The server side of WhatsApp multi-device.

    root: clients must trust this key instead of the one compiled into them.
    changes: notified after every login, logout and pairing.
    """

    def __init__(self) -> None:
        self.root = SigningKey()
        self._static = X25519PrivateKey.generate()
        self._certificate = certificate_chain(self.root, self._static.public_key().public_bytes_raw())
        self.world, self.changes = World(), Changes()
        self.faults = Faults(self.changes)
        self.media, self.groups, self.pairing = MediaStore(), Groups(self.world), Pairing(self.world)
        self.router = Router(self.world, self.faults)
        self.stanzas: Counter[str] = Counter()
        self._sockets: set[Connection] = set()
        self._iq_answers: dict[str, Callable[[Iq], list[Node]]] = {
            "encrypt": lambda iq: prekeys.answer(iq, self.world),
            "usync": lambda iq: usync.answer(iq, self.world, self.faults),
            "w:g2": self.groups.answer,
            "w:m": lambda _iq: [media_connection()],
            "md": self._multi_device,
            "privacy": lambda _iq: [
                Node("privacy", {}, [Node("category", {"name": "readreceipts", "value": "all"})])
            ],
            "passive": lambda iq: [Node(iq.action.tag)],
            "abt": lambda _iq: [Node("props", {"protocol": "1", "hash": "simulator", "refresh": 86400})],
            "w:sync:app:state": _app_state,
        }

    def application(self) -> web.Application:
        """What the TLS port serves: the chat socket, the media host and the version page."""
        application = web.Application(client_max_size=1 << 27)
        application.add_routes([web.get("/ws/chat", self._chat), web.get("/sw.js", _version_page)])
        application.add_routes(self.media.routes())
        return application

    def connected(self) -> list[Device]:
        """The devices that are logged in."""
        return [connection.device for connection in self._sockets if connection.device]

    def strike(self, fault: Fault) -> None:
        """Bring a fault into force."""
        for device in self.connected():
            if fault.concerns(device.user.phone):
                self._strike_connected(fault, device)
        if fault.kind not in AT_ONCE:
            self.faults.add(fault)

    def unlink(self, device: Device) -> None:
        """Do what an owner does who removes a linked client on the phone: its keys and queue are gone."""
        device.user.devices.pop(device.id, None)
        usync.announce(device, "remove", self.world)
        if device.connection:
            conflict = Node("conflict", {"type": "device_removed"})
            device.connection.dismiss(Node("stream:error", {"code": "401"}, [conflict]))
        self.changes.notify()

    def _strike_connected(self, fault: Fault, device: Device) -> None:
        assert device.connection is not None
        match fault.kind:
            case FaultKind.DROP | FaultKind.BAN:
                device.connection.abort()
            case FaultKind.LOG_OUT:
                self.unlink(device)
            case FaultKind.REPLACED:
                _replace(device.connection)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if self.faults.take(FaultKind.REFUSE, None):
            return web.Response(status=503)
        socket = web.WebSocketResponse(max_msg_size=1 << 24)
        await socket.prepare(request)
        try:
            await self._serve(socket, partial(_cut, request))
        except (ValueError, KeyError, InvalidTag, ConnectionError) as broken:
            log.info("a client broke the protocol: %r", broken)
        return socket

    async def _serve(self, socket: web.WebSocketResponse, cut: Callable[[], None]) -> None:
        frames, handshake, connection = FrameReader(), None, None
        try:
            async for message in socket:
                if message.type is not WSMsgType.BINARY:
                    continue
                received: bytes = message.data
                if handshake is None:
                    header, received = split_header(received)
                    handshake = Handshake(self._static, self._certificate, header)
                for payload in frames.feed(received):
                    if connection:
                        self._handle(connection, connection.read(payload))
                    else:
                        login = await self._shake_hands(socket, handshake, payload)
                        if login is not None:
                            connection = self._connect(socket, cut, handshake)
                            self._log_in(connection, protobuf.Message(login))
        finally:
            if connection:
                await self._closed(connection)

    async def _shake_hands(
        self, socket: web.WebSocketResponse, handshake: Handshake, payload: bytes
    ) -> bytes | None:
        """Take the next step of the handshake. Returns the login payload after the last one."""
        if handshake.began:
            return handshake.read_finish(payload)
        if handshake.is_resumption(payload):
            answer, login = handshake.resume(payload)
            await socket.send_bytes(frame(answer))
            return login
        await socket.send_bytes(frame(handshake.answer_hello(payload)))
        return None

    def _connect(self, socket: web.WebSocketResponse, cut: Callable[[], None], handshake: Handshake) -> Connection:
        connection = Connection(socket, cut, handshake.transport(), handshake.their_static, self._delay_of)
        self._sockets.add(connection)
        return connection

    def _delay_of(self, device: Device | None) -> float:
        return self.faults.delay(device.user.phone if device else None)

    async def _closed(self, connection: Connection) -> None:
        self._sockets.discard(connection)
        self.pairing.forget(connection)
        if connection.device and connection.device.connection is connection:
            connection.device.connection = None
        await connection.finished()
        self.changes.notify()

    def _log_in(self, connection: Connection, login: protobuf.Message) -> None:
        """Log a client in. Field 1 is the phone number, 18 the device; a client without a number wants to pair."""
        if 1 not in login:
            self.pairing.begin(connection, login)
            return
        phone = str(login.integer(1))
        user = self.world.users.get(phone)
        device = user.devices.get(login.integer(18, 0)) if user else None
        if failure := self._login_failure(phone, device):
            connection.dismiss(failure)
        elif device is None or self.faults.take(FaultKind.REFUSE, phone):
            connection.abort()
        else:
            if device.connection:
                _replace(device.connection)
            connection.device, device.connection = device, connection
            attrs: Attributes = {"t": now(), "lid": device.lid, "creation": now(), "companion_enc_static": "x"}
            connection.send(Node("success", attrs))
            for node in device.outgoing.at_login():
                connection.send(node)
            self.changes.notify()

    def _login_failure(self, phone: str, device: Device | None) -> Node | None:
        if device is None:
            return Node("failure", {"reason": _LOGGED_OUT, "location": "simulator"})
        if ban := self.faults.take(FaultKind.BAN, phone):
            return Node("failure", {"reason": _BANNED, "code": "101", "expire": int(ban.seconds)})
        if self.faults.take(FaultKind.PHONE_GONE, phone):
            return Node("failure", {"reason": _PHONE_GONE, "location": "simulator"})
        if self.faults.take(FaultKind.OUTDATED, phone):
            return Node("failure", {"reason": _OUTDATED, "location": "simulator"})
        return None

    def _handle(self, connection: Connection, node: Node) -> None:
        device = connection.device
        namespace = node.attrs.get("xmlns")
        self.stanzas[f"iq:{namespace}" if namespace else node.tag] += 1
        match node.tag:
            case "iq" if node.attrs.get("type") in ("get", "set"):
                iq = Iq(connection, node)
                if not (device and _precedes_a_send(iq) and self._stalls_query(device)):
                    connection.send(self._answer(iq))
            case "iq" if node.child("pair-device-sign"):
                self.pairing.complete(connection)
            case "message" if device:
                self.router.message(connection, device, node)
            case "receipt" if device:
                self._answered(device, node)
                self.router.receipt(connection, device, node)
            case "ack" if device:
                self._answered(device, node)

    def _stalls_query(self, device: Device) -> bool:
        return self.faults.take(FaultKind.STALL_QUERY, device.user.phone) is not None

    def _answered(self, device: Device, node: Node) -> None:
        device.outgoing.answered(node)
        if not device.outgoing:
            self.changes.notify()

    def _answer(self, iq: Iq) -> Node:
        attrs: Attributes = {"from": iq.node.attrs.get("to") or SERVER, "id": iq.node.attrs.get("id"), "t": now()}
        try:
            answer = self._iq_answers.get(iq.namespace, _nothing)(iq)
        except (IqRefused, ValueError) as refused:
            code, text = (refused.code, refused.text) if isinstance(refused, IqRefused) else (400, "bad-request")
            log.info("refused %s: %s %s", iq.namespace, code, text)
            return Node("iq", {**attrs, "type": "error"}, [Node("error", {"code": code, "text": text})])
        return Node("iq", {**attrs, "type": "result"}, answer or None)

    def _multi_device(self, iq: Iq) -> list[Node]:
        match iq.action.tag:
            case "link_code_companion_reg":
                return self.pairing.code_request(iq)
            case "remove-companion-device":
                iq.user.devices.pop(iq.device.id, None)
                usync.announce(iq.device, "remove", self.world)
                return []
        raise IqRefused(*ITEM_NOT_FOUND)


def _precedes_a_send(iq: Iq) -> bool:
    """Tell whether clients ask this before they write a message ahead. Devices and keys they ask for after it."""
    if iq.namespace == "usync":
        query = iq.action.child("query")
        return query is not None and query.child("contact") is not None
    return iq.namespace == "w:g2" and iq.action.tag == "query"


def _cut(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()


def _replace(connection: Socket) -> None:
    conflict = Node("conflict", {"type": "replaced"})
    connection.dismiss(Node("stream:error", {"code": "409"}, [conflict]))


def _nothing(_iq: Iq) -> list[Node]:
    """Answer pings, and requests that change nothing here, with an empty result."""
    return []


def _app_state(iq: Iq) -> list[Node]:
    """Answer that every collection of synced chat settings is up to date: there are none."""
    collections = iq.action.children("collection")
    return [
        Node(
            "sync",
            {},
            [
                Node("collection", {"name": each.attrs.get("name"), "version": each.text("version", "0")})
                for each in collections
            ],
        )
    ]


async def _version_page(_request: web.Request) -> web.Response:
    """Serve the page on which clients look up the newest version before they connect."""
    return web.Response(text=_VERSION_PAGE)
