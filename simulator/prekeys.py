"""The key server (`xmlns=encrypt`): clients upload one-time prekeys and fetch one per device they write to."""

from __future__ import annotations

from dataclasses import replace

from simulator.device import Device, SignedPreKey
from simulator.iq import ITEM_NOT_FOUND, Iq
from simulator.wire.stanza import JID, Node
from simulator.world import World

_KEY_TYPE = b"\5"


def answer(iq: Iq, world: World) -> list[Node]:
    match iq.action.tag:
        case "count":
            return [Node("count", {"value": len(iq.device.prekeys)})]
        case "key":
            return [Node("list", {}, [_bundle(user.jid("jid"), world) for user in iq.action.children("user")])]
        case _ if iq.is_set and iq.node.child("list"):
            _upload(iq.device, iq.node)
    return []


def _upload(device: Device, node: Node) -> None:
    device.prekeys += node.need("list").children()
    signed = node.need("skey")
    parts = (signed.need(name).data() for name in ("id", "value", "signature"))
    device.keys = replace(device.keys, identity=node.need("identity").data(), signed_prekey=SignedPreKey(*parts))


def _bundle(jid: JID, world: World) -> Node:
    user = world.find(jid)
    device = user and user.devices.get(jid.device)
    if not device:
        code, text = ITEM_NOT_FOUND
        return Node("user", {"jid": jid}, [Node("error", {"code": code, "text": text})])
    signed = device.keys.signed_prekey
    children = [
        Node("registration", {}, device.keys.registration_id),
        Node("type", {}, _KEY_TYPE),
        Node("identity", {}, device.keys.identity),
    ]
    if device.prekeys:
        children.append(device.prekeys.pop(0))
    signed_key = [
        Node("id", {}, signed.id),
        Node("value", {}, signed.public),
        Node("signature", {}, signed.signature),
    ]
    children.append(Node("skey", {}, signed_key))
    return Node("user", {"jid": jid}, children)
