"""User sync (`xmlns=usync`): whether a number is on WhatsApp, its LID, and its devices.

Clients keep a device list and send only to the devices on it, so everyone who asked for a list hears of its
changes.
"""

from __future__ import annotations

from simulator.device import Device, User
from simulator.faults import FaultKind, Faults
from simulator.iq import Iq
from simulator.wire import protobuf
from simulator.wire.stanza import JID, LID_SERVER, PHONE_SERVER, Attributes, Node, now
from simulator.world import World


def answer(iq: Iq, world: World, faults: Faults) -> list[Node]:
    query = [protocol.tag for protocol in iq.action.need("query").children()]
    asked = iq.action.need("list").children("user")
    users = [_answer_user(user, query, iq.device, world, faults) for user in asked]
    attrs: Attributes = {name: iq.action.attrs.get(name) for name in ("sid", "mode", "context")}
    return [Node("usync", {**attrs, "index": "0", "last": "true"}, [Node("list", {}, users)])]


def announce(device: Device, change: str, world: World) -> None:
    """Tell every client that holds the account's device list that it changed. change: "add" or "remove".

    The hash matches no list, so the client drops its copy and asks again.
    """
    attrs = {"device_hash": "2:changed", "device_lid_hash": "2:changed"}
    for watcher, asked_as in list(device.user.watchers):
        if watcher.user.devices.get(watcher.id) is not watcher:
            device.user.watchers.discard((watcher, asked_as))
            continue
        if watcher is device:
            continue
        jid = device.lid if asked_as.server == LID_SERVER else device.phone_jid
        entry = Node("device", {"jid": jid, "key-index": device.id})
        notification: Attributes = {"from": asked_as, "type": "devices", "id": world.stanza_id(), "t": now()}
        children = [Node(change, attrs, [entry, _key_index_list(device.user)])]
        watcher.send(Node("notification", notification, children))


def _answer_user(asked: Node, query: list[str], asker: Device, world: World, faults: Faults) -> Node:
    contact = asked.child("contact")
    jid = asked.attrs.get("jid")
    if not isinstance(jid, JID):
        number = contact.data().decode() if contact else ""
        jid = JID(number.split("@")[0].lstrip("+"), PHONE_SERVER)
    user = world.find(jid)
    answers = []
    if user and "devices" in query:
        user.watchers.add((asker, jid.bare))
        answers.append(_devices(user))
    if (
        user and "lid" in query and not faults.in_force(FaultKind.NO_LID, user.phone)
    ):  # without it clients write to the phone number, and the message is lost
        answers.append(Node("lid", {"val": user.lid}))
    if "contact" in query:
        attrs = {"type": "in" if user else "out"}
        answers.append(Node("contact", attrs, contact.content if contact else None))
    return Node("user", {"jid": jid}, answers)


def _devices(user: User) -> Node:
    devices = [Node("device", {"id": id_, "key-index": id_}) for id_ in user.devices]
    return Node("devices", {}, [Node("device-list", {}, devices), _key_index_list(user)])


def _key_index_list(user: User) -> Node:
    """The phone's signed list of its devices. Without it some clients ignore linked clients."""
    indexes = b"".join(protobuf.varint(id_) for id_ in sorted(user.devices))
    statement = protobuf.encode({1: 1, 2: now(), 3: max(user.devices), 4: indexes})
    signed = protobuf.encode({1: statement, 2: user.identity.sign(b"\6\2" + statement)})
    return Node("key-index-list", {"ts": now()}, signed)
