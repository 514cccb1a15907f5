"""Messages and receipts on their way between devices. The server sees nothing but ciphertext.

A message carries an `<enc>` for each device that should get it; a group message carries one more (the sender
key's) for everybody. A linked client gets its own parts; the phone itself only takes note (see `own_phone`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from simulator.connection import Connection
from simulator.device import Device, User
from simulator.faults import FaultKind, Faults
from simulator.own_phone import Arrived
from simulator.wire.stanza import GROUP_SERVER, JID, Attribute, Node, now
from simulator.world import World

_NOT_IN_GROUP = 403
_ADMINS_ONLY = 420
_NO_SUCH_USER = 404


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the server processed. times: above 1 if a client sent it again."""

    id: str
    sender: str
    chat: str
    times: int


class Router:
    """Delivers clients' messages and receipts, and acknowledges them."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world, self._faults = world, faults
        self._processed: Counter[tuple[str, str, str]] = Counter()

    def processed(self) -> list[SentMessage]:
        """Every processed message, in the order of first arrival."""
        return [SentMessage(*key, times=times) for key, times in self._processed.items()]

    def message(self, connection: Connection, sender: Device, node: Node) -> None:
        """Deliver and acknowledge, unless a fault says otherwise."""
        phone = sender.user.phone
        chat = node.jid("to")
        ack: dict[str, Attribute] = {"class": "message", "id": node.text("id"), "from": chat, "t": now()}
        refusal = self._refusal(sender, chat)
        if refusal is None and (nack := self._faults.take(FaultKind.NACK, phone)):
            refusal = nack.code
        if refusal is not None:
            connection.send(Node("ack", {**ack, "error": refusal}))
            return
        if self._faults.take(FaultKind.STALL_UNPROCESSED, phone):
            return
        if self._faults.take(FaultKind.DROP_UNPROCESSED, phone):
            connection.abort()
            return
        stalled = self._faults.take(FaultKind.STALL_PROCESSED, phone)
        dropped = self._faults.take(FaultKind.DROP_PROCESSED, phone)
        if not stalled and not dropped:
            connection.send(Node("ack", {**ack, "phash": node.attrs.get("phash")}))
        if not _is_resend(node):
            self._processed[node.text("id"), phone, str(chat)] += 1
        self._deliver(sender, chat, node)
        if dropped:
            connection.abort()

    def receipt(self, connection: Connection, reader: Device, node: Node) -> None:
        """Pass a receipt on to the sender of the message, and acknowledge it."""
        to, kind = node.jid("to"), node.attrs.get("type")
        ack = {name: node.attrs.get(name) for name in ("id", "type", "participant")}
        connection.send(Node("ack", {**ack, "class": "receipt", "from": to}))
        if kind == "peer_msg":
            return
        sender = reader.user.lid if kind == "sender" else node.attrs.get("participant") or to
        if not isinstance(sender, JID) or (user := self._world.find(sender)) is None:
            return
        attrs: dict[str, Attribute] = {"id": node.attrs.get("id"), "t": now(), "type": kind, "from": reader.lid}
        if to.server == GROUP_SERVER:
            attrs |= {"from": to, "participant": reader.lid}
        elif kind == "sender":
            attrs["recipient"] = to
        for device in user.clients:
            asked_to_resend = kind != "retry" or sender.device in (0, device.id)
            if device is not reader and asked_to_resend:
                device.send(Node("receipt", attrs, node.content))

    def _refusal(self, sender: Device, chat: JID) -> int | None:
        """The error code for a message that may not be sent; None if it may."""
        if chat.server != GROUP_SERVER:
            return None if self._world.find(chat) else _NO_SUCH_USER
        group = self._world.groups.get(chat.user)
        if group is None or sender.user not in group.roles:
            return _NOT_IN_GROUP
        return None if group.may_send(sender.user) else _ADMINS_ONLY

    def _deliver(self, sender: Device, chat: JID, node: Node) -> None:
        own_parts = _parts_by_device(node)
        shared = node.child("enc")
        arrived = Arrived(node.text("id"), chat.bare, sender)
        for device in self._recipients(sender, chat, node):
            own = own_parts.get(device.lid) or own_parts.get(device.phone_jid)
            parts = [part for part in (own, shared) if part]
            if not parts:
                continue
            if not device.is_client:
                self._world.own_phone(device.user).receive(arrived)
                continue
            if any(part.attrs.get("type") == "pkmsg" for part in parts):  # the sender's proof that it is linked
                parts += node.children("device-identity")
            if self._faults.take(FaultKind.GARBLE, device.user.phone, device.id):
                parts = [_damaged(part) for part in parts]
            device.send(Node("message", _addressing(sender, device, chat, node), list(parts)))

    def _recipients(self, sender: Device, chat: JID, node: Node) -> Iterable[Device]:
        only = node.attrs.get("participant") if chat.server == GROUP_SERVER else chat
        if isinstance(only, JID) and (only.device or _is_resend(node)):
            user = self._world.find(only)
            device = user and user.devices.get(only.device)
            return [device] if device else []
        users: Iterable[User]
        if chat.server == GROUP_SERVER:
            users = list(self._world.groups[chat.user].roles)
        else:
            found = self._world.find(chat)
            users = dict.fromkeys(user for user in (found, sender.user) if user)
        return [device for user in users for device in user.devices.values() if device is not sender]


def _is_resend(node: Node) -> bool:
    """Tell whether a message goes again to one device that could not decrypt it, in a group or directly."""
    return "participant" in node.attrs or node.attrs.get("device_fanout") == "false"


def _damaged(part: Node) -> Node:
    """Change the part's last byte, which belongs to the authentication code."""
    if not isinstance(part.content, bytes) or not part.content:
        return part
    return replace(part, content=part.content[:-1] + bytes([part.content[-1] ^ 0xFF]))


def _parts_by_device(node: Node) -> dict[JID, Node]:
    participants = node.child("participants")
    if participants is None:
        return {}
    return {to.jid("jid"): part for to in participants.children("to") if (part := to.child("enc"))}


def _addressing(sender: Device, device: Device, chat: JID, node: Node) -> dict[str, Attribute]:
    attrs: dict[str, Attribute] = {
        "id": node.attrs.get("id"),
        "type": node.attrs.get("type"),
        "t": now(),
        "notify": sender.user.name,
        "edit": node.attrs.get("edit"),
    }
    if chat.server == GROUP_SERVER:
        attrs |= {
            "from": chat,
            "participant": sender.lid,
            "participant_pn": sender.phone_jid,
            "addressing_mode": "lid",
        }
    else:
        attrs |= {"from": sender.lid, "sender_pn": sender.phone_jid}
        if device.user is sender.user:
            attrs["recipient"] = chat.bare
    return attrs
