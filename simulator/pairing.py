"""Linking a new client to an account: by QR code, or by the eight characters typed on the phone.

The QR text is `ref,noise key,identity key,adv secret`. The ref names the waiting socket; the rest is the client's
and never passes through the server. The phone signs the client's identity key with its own (the "ADV" device
identity). An HMAC under the adv secret proves to the client that the phone has seen the QR code.

With a code, client and phone agree on that secret instead: each sends an ephemeral key encrypted under the code
(PBKDF2-SHA256, 2^17 rounds, AES-CTR), then the client sends its keys in a bundle under the shared secret.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from simulator import usync
from simulator.connection import Connection
from simulator.device import Device, DeviceKeys, SignedPreKey, User
from simulator.iq import ITEM_NOT_FOUND, Iq, IqRefused
from simulator.wire import protobuf
from simulator.wire.signing import shared_secret
from simulator.wire.stanza import SERVER, Attributes, Node, now
from simulator.world import World

#: A client shows each for 20 s (the first for 60 s) and must log in again after the last.
REFS_PER_LOGIN = 6
_CODE_ROUNDS = 2 << 16


class NotWaiting(LookupError):  # noqa: N818 - reads as the sentence it is
    """No client waits for this QR code or pairing code."""


@dataclass(slots=True)
class _CodePairing:
    """A client that shows a code. wrapped: its ephemeral key, encrypted under the code."""

    connection: Connection
    ref: bytes
    wrapped: bytes
    shared: bytes = b""


class Pairing:
    """The server's and the phone's part in linking a client."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._refs: dict[str, Connection] = {}
        self._codes: dict[str, _CodePairing] = {}

    def begin(self, connection: Connection, login: protobuf.Message) -> None:
        """Take the keys of a client that logs in without an account, and offer refs for its QR code."""
        registration = login.message(19)
        signed = SignedPreKey(registration.data(4), registration.data(5), registration.data(6))
        connection.registering = DeviceKeys(registration.data(1), registration.data(3), signed)
        refs = ["2@" + base64.b64encode(os.urandom(48)).decode() for _ in range(REFS_PER_LOGIN)]
        self._refs |= dict.fromkeys(refs, connection)
        offer = Node("pair-device", {}, [Node("ref", {}, ref.encode()) for ref in refs])
        connection.send(self._iq_set(offer))

    def forget(self, connection: Connection) -> None:
        """Drop the codes of a socket that has closed."""
        self._refs = {ref: owner for ref, owner in self._refs.items() if owner is not connection}
        self._codes = {phone: code for phone, code in self._codes.items() if code.connection is not connection}

    def scan(self, phone: str, qr_text: str, *, as_phone: bool = False) -> Device:
        """Do what an owner does who scans a QR code. NotWaiting if no client shows it.

        as_phone: the client becomes the phone itself, device 0. No real phone is linked so, but a library that is
        told this number behaves as the phone does.
        """
        parts = qr_text.split("#")[-1].split(",")
        connection = self._refs.get(parts[0])
        if connection is None or connection.registering is None or len(parts) < 4:
            raise NotWaiting("this QR code is not on any screen: expired, used, or of another simulator")
        noise_static, identity, adv_secret = (base64.b64decode(part) for part in parts[1:4])
        if identity != connection.registering.identity or noise_static != connection.noise_static:
            raise NotWaiting("the keys in this QR code are not those of the client that shows it")
        return self._link(connection, self._world.account(phone), adv_secret, as_phone)

    def code_request(self, iq: Iq) -> list[Node]:
        """Answer `<link_code_companion_reg>`: the client shows a code, or goes on after it was typed."""
        phone = iq.action.jid("jid").user
        if iq.action.attrs.get("stage") == "companion_hello":
            wrapped = iq.action.need("link_code_pairing_wrapped_companion_ephemeral_pub").data()
            code = self._codes[phone] = _CodePairing(iq.connection, os.urandom(16), wrapped)
            ref = Node("link_code_pairing_ref", {}, code.ref)
            return [Node("link_code_companion_reg", {"stage": "companion_hello"}, [ref])]
        self._finish_code(iq, phone)
        return []

    def enter_code(self, phone: str, text: str) -> None:
        """Do what an owner does who types the eight characters. Only the client notices a wrong code."""
        waiting = self._codes.get(phone)
        if waiting is None:
            raise NotWaiting(f"no client asked for a code for {phone}")
        code = text.replace("-", "").encode()
        salt, iv, sealed = waiting.wrapped[:32], waiting.wrapped[32:48], waiting.wrapped[48:80]
        ephemeral = X25519PrivateKey.generate()
        waiting.shared = shared_secret(ephemeral, _under_code(code, salt, iv, sealed))
        salt, iv = os.urandom(32), os.urandom(16)
        wrapped = salt + iv + _under_code(code, salt, iv, ephemeral.public_key().public_bytes_raw())
        hello = [
            Node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, wrapped),
            Node("primary_identity_pub", {}, self._world.account(phone).identity.public),
            Node("link_code_pairing_ref", {}, waiting.ref),
        ]
        kind = "link_code_companion_reg"
        attrs: Attributes = {"from": SERVER, "type": kind, "id": self._world.stanza_id(), "t": now()}
        waiting.connection.send(Node("notification", attrs, [Node(kind, {"stage": "primary_hello"}, hello)]))

    def complete(self, connection: Connection) -> None:
        """Note that the client has accepted its identity: it must log in again, now as a device."""
        if connection.pairing is None:
            return
        device, connection.pairing = connection.pairing, None
        connection.send(Node("stream:error", {"code": "515"}))
        usync.announce(device, "add", self._world)

    def _finish_code(self, iq: Iq, phone: str) -> None:
        waiting = self._codes.pop(phone, None)
        if waiting is None:
            raise IqRefused(*ITEM_NOT_FOUND)
        user = self._world.account(phone)
        sealed = iq.action.need("link_code_pairing_wrapped_key_bundle").data()
        identity = iq.action.need("companion_identity_public").data()
        key = _hkdf(waiting.shared, sealed[:32], b"link_code_pairing_key_bundle_encryption_key")
        bundle = AESGCM(key).decrypt(sealed[32:44], sealed[44:], None)
        if bundle[:64] != identity + user.identity.public:
            raise IqRefused(400, "bad-request")
        secret = waiting.shared + user.identity.shared_secret(identity) + bundle[64:]
        adv_secret = _hkdf(secret, None, b"adv_secret")
        # after the answer to this request
        asyncio.get_running_loop().call_soon(self._link, iq.connection, user, adv_secret)

    def _link(self, connection: Connection, user: User, adv_secret: bytes, as_phone: bool = False) -> Device:
        assert connection.registering is not None
        self.forget(connection)
        link = user.become_phone if as_phone else user.link
        device = connection.pairing = link(connection.registering)
        # 1 account number, 2 timestamp, 3 key index, 4 account and 5 device type (both end-to-end encrypted)
        details = protobuf.encode({1: 1, 2: now(), 3: device.id, 4: 0, 5: 0})
        signature = user.identity.sign(b"\6\0" + details + device.keys.identity)
        identity = protobuf.encode({1: details, 2: user.identity.public, 3: signature})
        proof = hmac.new(adv_secret, identity, hashlib.sha256).digest()
        success = [
            Node("device-identity", {}, protobuf.encode({1: identity, 2: proof})),
            Node("platform", {"name": "android"}),
            Node("device", {"jid": device.phone_jid, "lid": device.lid}),
        ]
        connection.send(self._iq_set(Node("pair-success", {}, success)))
        return device

    def _iq_set(self, child: Node) -> Node:
        attrs: Attributes = {
            "from": SERVER,
            "type": "set",
            "id": self._world.stanza_id(),
            "t": now(),
            "xmlns": "md",
        }
        return Node("iq", attrs, [child])


def _hkdf(secret: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def _under_code(code: bytes, salt: bytes, iv: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt under the code: AES-CTR is its own inverse."""
    key = hashlib.pbkdf2_hmac("sha256", code, salt, _CODE_ROUNDS, 32)
    return Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(data)
