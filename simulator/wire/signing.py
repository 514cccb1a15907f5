"""Curve25519 keys that sign the way WhatsApp's clients verify (XEdDSA), from a plain Ed25519 key.

An XEdDSA verifier turns the signer's Montgomery public key into an Edwards one and takes its sign from bit 7
of the signature's last byte. So an ordinary Ed25519 signature is a valid XEdDSA one when that bit carries the
sign of the public key, and the same secret scalar serves for X25519.
"""

from __future__ import annotations

import hashlib
import os
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from simulator.wire import protobuf

_FIELD_PRIME = 2**255 - 19
_DAY = 86_400


class SigningKey:
    """An identity key: signs, and agrees on secrets.

    public: the 32-byte Montgomery u-coordinate, as it goes over the wire.
    """

    def __init__(self) -> None:
        seed = os.urandom(32)
        self._signer = Ed25519PrivateKey.from_private_bytes(seed)
        self._agreement = X25519PrivateKey.from_private_bytes(hashlib.sha512(seed).digest()[:32])
        edwards = self._signer.public_key().public_bytes_raw()
        self._sign_bit = edwards[31] & 0x80
        y = int.from_bytes(edwards, "little") & (2**255 - 1)
        montgomery_u = (1 + y) * pow(1 - y, _FIELD_PRIME - 2, _FIELD_PRIME) % _FIELD_PRIME
        self.public = montgomery_u.to_bytes(32, "little")
        assert self._agreement.public_key().public_bytes_raw() == self.public

    def sign(self, message: bytes) -> bytes:
        signature = bytearray(self._signer.sign(message))
        signature[63] |= self._sign_bit
        return bytes(signature)

    def shared_secret(self, their_public: bytes) -> bytes:
        return shared_secret(self._agreement, their_public)


def shared_secret(private: X25519PrivateKey, their_public: bytes) -> bytes:
    """X25519 between our private key and their 32 public bytes."""
    return private.exchange(X25519PublicKey.from_public_bytes(their_public))


def certificate_chain(root: SigningKey, static_public: bytes) -> bytes:
    """The server's certificate: the root signs an intermediate key, which signs the static Noise key.

    Details carry 1 serial, 2 issuer serial, 3 key, 4 not before, 5 not after; a chain is 1 leaf, 2 intermediate,
    each being 1 details, 2 signature. Clients trust one root key that is compiled into them.
    """
    intermediate = SigningKey()
    not_before = int(time.time()) - _DAY
    validity = {4: not_before, 5: not_before + 3650 * _DAY}
    of_intermediate = protobuf.encode({1: 1, 2: 0, 3: intermediate.public, **validity})
    of_leaf = protobuf.encode({1: 2, 2: 1, 3: static_public, **validity})
    return protobuf.encode(
        {
            1: protobuf.encode({1: of_leaf, 2: intermediate.sign(of_leaf)}),
            2: protobuf.encode({1: of_intermediate, 2: root.sign(of_intermediate)}),
        }
    )
