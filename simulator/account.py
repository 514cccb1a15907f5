"""Who there is: accounts with their devices, and groups.

Everything lives in memory: a restart of the simulator forgets accounts, devices, groups, prekeys and queues,
as if every phone had been reset. What outlives a client's process is its device here: the queue of a device
that is away waits for its next login.
"""

from __future__ import annotations

import base64
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from simulator.offline import Outgoing
from simulator.own_phone import OwnPhone
from simulator.wire.signing import SigningKey
from simulator.wire.stanza import JID, Attributes, Node

if TYPE_CHECKING:
    from simulator.connection import Connection

PHONE_SERVER, LID_SERVER, GROUP_SERVER = "s.whatsapp.net", "lid", "g.us"
PHONE_DEVICE = 0


def now() -> int:
    """Unix seconds, the unit of every `t` attribute."""
    return int(time.time())


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


@dataclass(eq=False, slots=True)
class Device:
    """A phone (device 0) or a linked client.

    outgoing: what was sent to it and not yet acknowledged; survives its disconnects.
    prekeys: one-time `<key>` nodes, each handed out once.
    """

    user: User
    id: int
    keys: DeviceKeys
    prekeys: list[Node] = field(default_factory=list)
    connection: Connection | None = None
    outgoing: Outgoing = field(default_factory=Outgoing)

    @property
    def lid(self) -> JID:
        return JID(self.user.lid.user, LID_SERVER, self.id)

    @property
    def phone_jid(self) -> JID:
        return JID(self.user.phone, PHONE_SERVER, self.id)

    @property
    def is_phone(self) -> bool:
        return self.id == PHONE_DEVICE

    def send(self, node: Node) -> None:
        """Keep it until acknowledged; put it on the socket if there is one."""
        self.outgoing.keep(node)
        if self.connection:
            self.connection.send(node)


class User:
    """An account. Clients address it by phone number or by LID, the number-less identity.

    identity: the key of the phone, which vouches for each linked device.
    own_phone: what the phone in its owner's hand does.
    joins_when_added: whether others may put this account into groups; else they may only invite it.
    watchers: devices that hold a copy of this account's device list, and the JID they asked for it by.
    """

    def __init__(self, phone: str, name: str) -> None:
        self.phone, self.name = phone, name
        self.phone_jid = JID(phone, PHONE_SERVER)
        self.lid = JID("9" + phone[::-1], LID_SERVER)
        self.identity = SigningKey()
        self.devices = {PHONE_DEVICE: Device(self, PHONE_DEVICE, self._phone_keys())}
        self.own_phone = OwnPhone(self)
        self.joins_when_added = True
        self.watchers: set[tuple[Device, JID]] = set()
        self._last_device_id = PHONE_DEVICE

    def link(self, keys: DeviceKeys) -> Device:
        """Add a client; device numbers are never used again."""
        self._last_device_id += 1
        device = self.devices[self._last_device_id] = Device(self, self._last_device_id, keys)
        return device

    @property
    def phone_device(self) -> Device:
        return self.devices[PHONE_DEVICE]

    @property
    def linked(self) -> list[Device]:
        return [device for device in self.devices.values() if not device.is_phone]

    def _phone_keys(self) -> DeviceKeys:
        prekey = X25519PrivateKey.generate().public_key().public_bytes_raw()
        signature = self.identity.sign(b"\5" + prekey)
        return DeviceKeys(os.urandom(4), self.identity.public, SignedPreKey(b"\0\0\1", prekey, signature))


@dataclass(frozen=True, slots=True)
class Description:
    """A group's description; each change has an id, and names the one that it follows."""

    id: str
    text: str


class Group:
    """A group addressed by LID. roles: "" (member), "admin" or "superadmin"."""

    def __init__(self, jid: JID, subject: str, creator: User, members: list[User]) -> None:
        self.jid, self.subject, self.creator = jid, subject, creator
        self.created = now()
        self.roles: dict[User, str] = {**dict.fromkeys(members, ""), creator: "superadmin"}
        self.description: Description | None = None
        self.announce = self.locked = False
        self.renew_invite_code()

    def renew_invite_code(self) -> None:
        self.invite_code = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")

    def is_admin(self, user: User) -> bool:
        return bool(self.roles.get(user))

    def may_send(self, user: User) -> bool:
        return user in self.roles and (not self.announce or self.is_admin(user))

    def node(self) -> Node:
        children = [participant(user, role) for user, role in self.roles.items()]
        if self.announce:
            children.append(Node("announcement"))
        if self.locked:
            children.append(Node("locked"))
        if self.description:
            body = [Node("body", {}, self.description.text.encode())]
            children.append(Node("description", {"id": self.description.id, "t": now()}, body))
        return Node(
            "group",
            {
                "id": self.jid.user,
                "subject": self.subject,
                "s_t": self.created,
                "s_o": self.creator.lid,
                "creation": self.created,
                "creator": self.creator.lid,
                "creator_pn": self.creator.phone_jid,
                "addressing_mode": "lid",
                "size": len(self.roles),
            },
            children,
        )


def participant(user: User, role: str = "", error: int | None = None) -> Node:
    """A group member as clients expect it: by LID, with the phone number beside it.

    error: why a change of this one did not happen.
    """
    attrs: Attributes = {"jid": user.lid, "phone_number": user.phone_jid, "type": role, "error": error}
    return Node("participant", attrs)


class World:
    """Every account and group of this simulator."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self._by_lid: dict[str, User] = {}
        self._stanza_count = 0

    def account(self, phone: str, name: str | None = None) -> User:
        """The account of that number; made on first mention."""
        if not phone.isdigit():
            raise ValueError(f"a phone number is digits only, not {phone!r}")
        user = self.users.get(phone)
        if user is None:
            user = self.users[phone] = User(phone, name or phone)
            self._by_lid[user.lid.user] = user
        elif name:
            user.name = name
        return user

    def find(self, jid: JID) -> User | None:
        return (self._by_lid if jid.server == LID_SERVER else self.users).get(jid.user)

    def create_group(self, subject: str, creator: User, members: list[User]) -> Group:
        jid = JID(f"1203630{time.time_ns() % 10**11:011d}", GROUP_SERVER)
        group = self.groups[jid.user] = Group(jid, subject, creator, members)
        return group

    def groups_of(self, user: User) -> list[Group]:
        return [group for group in self.groups.values() if user in group.roles]

    def stanza_id(self) -> str:
        self._stanza_count += 1
        return f"{self._stanza_count}-{os.urandom(2).hex()}"
