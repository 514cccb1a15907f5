"""An account and its devices: the phone (device 0) and the clients linked to it.

A device outlives its client's process: what was sent to it while it was away waits for its next login.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from simulator.offline import Outgoing
from simulator.wire.signing import SigningKey
from simulator.wire.stanza import JID, LID_SERVER, PHONE_SERVER, Node

PHONE_DEVICE = 0


@dataclass(frozen=True, slots=True)
class SignedPreKey:
    """Three-byte id, public key, and its signature by the device's identity key."""

    id: bytes
    public: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """What a device registers with; all of it public."""

    registration_id: bytes
    identity: bytes
    signed_prekey: SignedPreKey


class Socket(Protocol):
    """What a device needs of its connection."""

    def send(self, node: Node) -> None:
        """Queue a stanza."""

    def dismiss(self, last: Node) -> None:
        """Send a last stanza, then close."""

    def abort(self) -> None:
        """Cut the connection."""


@dataclass(eq=False, slots=True)
class Device:
    """A phone (device 0) or a linked client.

    outgoing: what was sent to it and not yet acknowledged; survives its disconnects.
    prekeys: one-time `<key>` nodes, each handed out once.
    is_client: a real client library decrypts for it; the phone may be one too (`User.become_phone`).
    """

    user: User
    id: int
    keys: DeviceKeys
    is_client: bool
    prekeys: list[Node] = field(default_factory=list)
    connection: Socket | None = None
    outgoing: Outgoing = field(default_factory=Outgoing)

    @property
    def lid(self) -> JID:
        return JID(self.user.lid.user, LID_SERVER, self.id)

    @property
    def phone_jid(self) -> JID:
        return JID(self.user.phone, PHONE_SERVER, self.id)

    def send(self, node: Node) -> None:
        """Keep it until acknowledged; put it on the socket if there is one."""
        self.outgoing.keep(node)
        if self.connection:
            self.connection.send(node)


class User:
    """An account. Clients address it by phone number or by LID, an identity that does not tell the number.

    identity: the phone's key, which vouches for each linked client.
    joins_when_added: whether others may add this account to groups; otherwise they may only invite it.
    watchers: devices that hold a copy of this account's device list, each with the JID it asked by.
    """

    def __init__(self, phone: str, name: str) -> None:
        self.phone, self.name = phone, name
        self.phone_jid = JID(phone, PHONE_SERVER)
        self.lid = JID("9" + phone[::-1], LID_SERVER)
        self.identity = SigningKey()
        self.devices = {PHONE_DEVICE: Device(self, PHONE_DEVICE, self._phone_keys(), is_client=False)}
        self.joins_when_added = True
        self.watchers: set[tuple[Device, JID]] = set()
        self._last_device_id = PHONE_DEVICE

    def link(self, keys: DeviceKeys) -> Device:
        """Add a client. Device numbers are never used again."""
        self._last_device_id += 1
        device = self.devices[self._last_device_id] = Device(self, self._last_device_id, keys, is_client=True)
        return device

    def become_phone(self, keys: DeviceKeys) -> Device:
        """Let a client be the phone itself: it has device number 0 from now on, and decrypts."""
        device = self.devices[PHONE_DEVICE] = Device(self, PHONE_DEVICE, keys, is_client=True)
        return device

    @property
    def phone_device(self) -> Device:
        return self.devices[PHONE_DEVICE]

    @property
    def clients(self) -> list[Device]:
        """The devices that a real client library decrypts for."""
        return [device for device in self.devices.values() if device.is_client]

    def _phone_keys(self) -> DeviceKeys:
        prekey = X25519PrivateKey.generate().public_key().public_bytes_raw()
        signature = self.identity.sign(b"\5" + prekey)
        return DeviceKeys(os.urandom(4), self.identity.public, SignedPreKey(b"\0\0\1", prekey, signature))
