"""The simulator's handshakes and signatures, against a client written from the Noise specification."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from simulator.wire import protobuf
from simulator.wire.noise import Handshake, Transport
from simulator.wire.signing import SigningKey, certificate_chain, shared_secret


class Initiator:
    """A client. known_server: the server's static key, which it then resumes with (IK); without, it asks (XX)."""

    def __init__(self, header: bytes, known_server: bytes | None = None) -> None:
        self._static, self._ephemeral = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        self.static_public = self._static.public_key().public_bytes_raw()
        self._ephemeral_public = self._ephemeral.public_key().public_bytes_raw()
        self._server = known_server
        pattern = b"IK" if known_server else b"XX"
        self._hash = self._chaining_key = self._key = b"Noise_" + pattern + b"_25519_AESGCM_SHA256\0\0\0\0"
        self._counter = 0
        self._mix_hash(header)
        if known_server:
            self._mix_hash(known_server)

    def hello(self, payload: bytes) -> bytes:
        """XX: e. IK: e, es, s, ss and the payload."""
        self._mix_hash(self._ephemeral_public)
        fields: dict[int, int | bytes] = {1: self._ephemeral_public}
        if self._server:
            self._mix_key(shared_secret(self._ephemeral, self._server))
            fields[2] = self._encrypt(self.static_public)
            self._mix_key(shared_secret(self._static, self._server))
            fields[3] = self._encrypt(payload)
        return protobuf.encode({2: protobuf.encode(fields)})

    def read_answer(self, message: bytes) -> bytes:
        """The server's e, ee, and s, es (XX) or se (IK); gives its certificate."""
        answer = protobuf.Message(message).message(3)
        self._their_ephemeral = answer.data(1)
        self._mix_hash(self._their_ephemeral)
        self._mix_key(shared_secret(self._ephemeral, self._their_ephemeral))
        if self._server:
            self._mix_key(shared_secret(self._static, self._their_ephemeral))
        else:
            self._mix_key(shared_secret(self._ephemeral, self._decrypt(answer.data(2))))
        return self._decrypt(answer.data(3))

    def finish(self, payload: bytes) -> bytes:
        """XX only: s, se and the payload."""
        static = self._encrypt(self.static_public)
        self._mix_key(shared_secret(self._static, self._their_ephemeral))
        return protobuf.encode({4: protobuf.encode({1: static, 2: self._encrypt(payload)})})

    def transport(self) -> Transport:
        write_key, read_key = _hkdf(self._chaining_key, b"")
        return Transport(read_key, write_key)

    def _mix_hash(self, data: bytes) -> None:
        self._hash = hashlib.sha256(self._hash + data).digest()

    def _mix_key(self, secret: bytes) -> None:
        self._chaining_key, self._key = _hkdf(self._chaining_key, secret)
        self._counter = 0

    def _nonce(self) -> bytes:
        self._counter += 1
        return (self._counter - 1).to_bytes(12, "big")

    def _encrypt(self, plaintext: bytes) -> bytes:
        ciphertext = AESGCM(self._key).encrypt(self._nonce(), plaintext, self._hash)
        self._mix_hash(ciphertext)
        return ciphertext

    def _decrypt(self, ciphertext: bytes) -> bytes:
        plaintext = AESGCM(self._key).decrypt(self._nonce(), ciphertext, self._hash)
        self._mix_hash(ciphertext)
        return plaintext


def _hkdf(salt: bytes, secret: bytes) -> tuple[bytes, bytes]:
    extracted = hmac.digest(salt, secret, "sha256")
    first = hmac.digest(extracted, b"\1", "sha256")
    return first, hmac.digest(extracted, first + b"\2", "sha256")


def test_a_signature_verifies_as_xeddsa() -> None:
    for key in (SigningKey() for _ in range(8)):  # half of them have a negative Edwards key
        signature = key.sign(b"statement")
        u = int.from_bytes(key.public, "little")
        prime = 2**255 - 19
        y = (u - 1) * pow(u + 1, prime - 2, prime) % prime
        edwards = bytearray(y.to_bytes(32, "little"))
        edwards[31] |= signature[63] & 0x80
        plain = signature[:63] + bytes([signature[63] & 0x7F])
        Ed25519PublicKey.from_public_bytes(bytes(edwards)).verify(plain, b"statement")


@pytest.fixture(scope="module")
def static() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


def test_both_handshakes_agree_on_keys(static: X25519PrivateKey) -> None:
    certificate = certificate_chain(SigningKey(), static.public_key().public_bytes_raw())
    for resume in (False, True):
        server = Handshake(static, certificate, b"WA\6\3")
        client = Initiator(b"WA\6\3", known_server=static.public_key().public_bytes_raw() if resume else None)
        hello = client.hello(b"login")
        assert server.is_resumption(hello) is resume
        if resume:
            answer, login = server.resume(hello)
            assert client.read_answer(answer) == certificate
        else:
            assert client.read_answer(server.answer_hello(hello)) == certificate
            login = server.read_finish(client.finish(b"login"))
        assert login == b"login"
        assert server.their_static == client.static_public
        ours, theirs = server.transport(), client.transport()
        for text in (b"one", b"two"):
            assert theirs.open(ours.seal(text)) == text
            assert ours.open(theirs.seal(text)) == text


def test_a_sealed_frame_is_not_read_twice(static: X25519PrivateKey) -> None:
    server, client = Handshake(static, b"certificate", b"WA\6\3"), Initiator(b"WA\6\3")
    client.read_answer(server.answer_hello(client.hello(b"")))
    server.read_finish(client.finish(b"login"))
    reading, sealed = server.transport(), client.transport().seal(b"once")
    assert reading.open(sealed) == b"once"
    with pytest.raises(InvalidTag):
        reading.open(sealed)
