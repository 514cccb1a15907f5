"""The responder's side of the Noise handshake, and the sealed frames after it.

A new client speaks Noise XX: it learns the server's static key from the certificate chain in the second
message. A client that kept that key may speak IK instead, whose first message already carries the login
payload. Both are Noise_*_25519_AESGCM_SHA256 with the connection header ("WA", 6, dictionary version) as
prologue. Handshake messages are protobuf: 2 ClientHello {1 ephemeral, 2 static, 3 payload}, 3 ServerHello
{same}, 4 ClientFinish {1 static, 2 payload}.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from simulator.wire import protobuf
from simulator.wire.signing import shared_secret

HEADER_LENGTH = 4
#: Only Baileys sends it: "ED", version and type, then a 3-byte length and routing bytes, before the header.
ROUTING_PREFIX = b"ED"

_XX = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"
_IK = b"Noise_IK_25519_AESGCM_SHA256\0\0\0\0"


def frame(payload: bytes) -> bytes:
    """Every message on the socket is led by its length in three bytes."""
    return len(payload).to_bytes(3, "big") + payload


class FrameReader:
    """Cuts the byte stream into frames; a WebSocket message may hold several or a part of one."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, received: bytes) -> list[bytes]:
        self._pending += received
        frames = []
        while len(self._pending) >= 3:
            end = 3 + int.from_bytes(self._pending[:3], "big")
            if len(self._pending) < end:
                break
            frames.append(self._pending[3:end])
            self._pending = self._pending[end:]
        return frames


def split_header(first: bytes) -> tuple[bytes, bytes]:
    """Separate the connection header from what follows it, skipping Baileys' routing bytes."""
    if first.startswith(ROUTING_PREFIX):
        first = first[7 + int.from_bytes(first[4:7], "big") :]
    return first[:HEADER_LENGTH], first[HEADER_LENGTH:]


class Handshake:
    """Answers one client's handshake.

    began: an XX hello has been answered, the client's last message is awaited.
    their_static: the client's static key, known once its last handshake message is read.
    """

    def __init__(self, static: X25519PrivateKey, certificate: bytes, header: bytes) -> None:
        self._static = static
        self._static_public = static.public_key().public_bytes_raw()
        self._certificate = certificate
        self._header = header
        self.began = False
        self.their_static = b""

    @staticmethod
    def is_resumption(message: bytes) -> bool:
        """Tell an IK hello, which carries the client's static key, from an XX hello."""
        return 2 in protobuf.Message(message).message(2)

    def resume(self, message: bytes) -> tuple[bytes, bytes]:
        """Read an IK hello; return the answer and the login payload. The handshake is then complete."""
        hello = protobuf.Message(message).message(2)
        self._begin(_IK)
        self._mix_hash(self._static_public)
        self._read_their_ephemeral(hello)
        self._mix_key(shared_secret(self._static, self._their_ephemeral))
        self.their_static = self._decrypt(hello.data(2))
        self._mix_key(shared_secret(self._static, self.their_static))
        payload = self._decrypt(hello.data(3))
        ephemeral_public = self._send_ephemeral()
        self._mix_key(shared_secret(self._ephemeral, self.their_static))
        answer = protobuf.encode({1: ephemeral_public, 3: self._encrypt(self._certificate)})
        return protobuf.encode({3: answer}), payload

    def answer_hello(self, message: bytes) -> bytes:
        """Read an XX hello and answer with our keys and certificate."""
        self.began = True
        self._begin(_XX)
        self._read_their_ephemeral(protobuf.Message(message).message(2))
        ephemeral_public = self._send_ephemeral()
        static = self._encrypt(self._static_public)
        self._mix_key(shared_secret(self._static, self._their_ephemeral))
        answer = protobuf.encode({1: ephemeral_public, 2: static, 3: self._encrypt(self._certificate)})
        return protobuf.encode({3: answer})

    def read_finish(self, message: bytes) -> bytes:
        """Read the last XX message; return the login payload."""
        finish = protobuf.Message(message).message(4)
        self.their_static = self._decrypt(finish.data(1))
        self._mix_key(shared_secret(self._ephemeral, self.their_static))
        return self._decrypt(finish.data(2))

    def transport(self) -> Transport:
        """The keys for what follows; the initiator's writing key is our reading key."""
        read_key, write_key = _hkdf(self._chaining_key, b"")
        return Transport(read_key, write_key)

    def _begin(self, protocol: bytes) -> None:
        self._hash = self._chaining_key = self._key = protocol
        self._counter = 0
        self._mix_hash(self._header)

    def _read_their_ephemeral(self, hello: protobuf.Message) -> None:
        self._their_ephemeral = hello.data(1)
        self._mix_hash(self._their_ephemeral)

    def _send_ephemeral(self) -> bytes:
        self._ephemeral = X25519PrivateKey.generate()
        public = self._ephemeral.public_key().public_bytes_raw()
        self._mix_hash(public)
        self._mix_key(shared_secret(self._ephemeral, self._their_ephemeral))
        return public

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _mix_key(self, secret: bytes) -> None:
        self._chaining_key, self._key = _hkdf(self._chaining_key, secret)
        self._counter = 0

    def _encrypt(self, plaintext: bytes) -> bytes:
        ciphertext = AESGCM(self._key).encrypt(_nonce(self._counter), plaintext, self._hash)
        self._counter += 1
        self._mix_hash(ciphertext)
        return ciphertext

    def _decrypt(self, ciphertext: bytes) -> bytes:
        plaintext = AESGCM(self._key).decrypt(_nonce(self._counter), ciphertext, self._hash)
        self._counter += 1
        self._mix_hash(ciphertext)
        return plaintext


class Transport:
    """Seals and opens frames after the handshake; each direction counts its own nonces."""

    def __init__(self, read_key: bytes, write_key: bytes) -> None:
        self._reading, self._writing = AESGCM(read_key), AESGCM(write_key)
        self._read_count = self._write_count = 0

    def open(self, ciphertext: bytes) -> bytes:
        plaintext = self._reading.decrypt(_nonce(self._read_count), ciphertext, None)
        self._read_count += 1
        return plaintext

    def seal(self, plaintext: bytes) -> bytes:
        ciphertext = self._writing.encrypt(_nonce(self._write_count), plaintext, None)
        self._write_count += 1
        return ciphertext


def _nonce(counter: int) -> bytes:
    return bytes(8) + struct.pack(">I", counter)


def _hkdf(salt: bytes, secret: bytes) -> tuple[bytes, bytes]:
    extracted = hmac.digest(salt, secret, "sha256")
    first = hmac.digest(extracted, b"\1", "sha256")
    return first, hmac.digest(extracted, first + b"\2", "sha256")
