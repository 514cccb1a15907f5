"""Seals session state with AES-256-GCM, so that the database alone opens no account.

Every record is encrypted under a data key of its own, which one of the operator's key-encryption keys wraps::

    version 1 | id length 1 | key id | nonce 12 | wrapped data key 32+16 | nonce 12 | zlib body | tag 16

Both layers authenticate the header as well as the organisation, session and generation, so that a record put in
another row, or an older one put back, does not open. A random nonce under one key-encryption key is good for
2**32 writes (NIST SP 800-38D, 8.3): at 30 snapshots a second, four years.
"""

import secrets
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from worker.errors import CredentialsError
from worker.settings import Settings

_VERSION = 1
_NONCE = 12
_TAG = 16
_WRAPPED = 32 + _TAG


class Keyring:
    """The operator's key-encryption keys by id; ``active`` is the id that new records are sealed under."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take 32-byte keys by id, the active one first; an id is 1 to 255 ASCII characters."""
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.active = next(iter(keys))

    @classmethod
    def from_settings(cls, settings: Settings) -> "Keyring":
        """Use ENCRYPTION_KEY or ENCRYPTION_KEYS."""
        return cls(settings.sealing_keys())

    def seal(self, plaintext: bytes, *, organization: UUID, session: UUID, generation: int) -> bytes:
        """Compress and encrypt under a fresh data key; only the same owner and generation open it."""
        key_id = self.active.encode("ascii")
        header = bytes([_VERSION, len(key_id)]) + key_id
        owner = _owner(organization, session, generation)
        data_key = secrets.token_bytes(32)
        nonce = secrets.token_bytes(_NONCE)
        wrapping = header + nonce + self._keys[self.active].encrypt(nonce, data_key, header + owner)
        nonce = secrets.token_bytes(_NONCE)
        return wrapping + nonce + AESGCM(data_key).encrypt(nonce, zlib.compress(plaintext), wrapping + owner)

    def open(self, record: bytes, *, organization: UUID, session: UUID, generation: int) -> bytes:
        """Give back exactly what was sealed for this owner and generation, or raise CredentialsError."""
        parts = _split(record)
        key = self._keys.get(parts.key_id)
        if key is None:
            raise CredentialsError(
                f"The credentials are sealed with key {parts.key_id!r}, which this worker does not have: "
                "add it to ENCRYPTION_KEYS."
            )
        owner = _owner(organization, session, generation)
        try:
            data_key = key.decrypt(parts.wrap_nonce, parts.wrapped_key, parts.header + owner)
            body = AESGCM(data_key).decrypt(parts.body_nonce, parts.body, parts.wrapping + owner)
        except InvalidTag:
            raise CredentialsError(
                "The credentials belong to another session or generation, were changed since they were sealed, "
                f"or this worker's key {parts.key_id!r} is not the one that sealed them: "
                "correct its ENCRYPTION_KEY, or unlink the phone and scan again."
            ) from None
        return zlib.decompress(body)


def key_id_of(record: bytes) -> str:
    """Which key sealed the record (not yet authenticated): what a rotation looks for. Raises CredentialsError."""
    return _split(record).key_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    key_id: str
    header: bytes
    wrap_nonce: bytes
    wrapped_key: bytes
    wrapping: bytes  #: everything before the body's nonce
    body_nonce: bytes
    body: bytes


def _split(record: bytes) -> _Parts:
    if record and record[0] != _VERSION:
        raise CredentialsError(
            f"The credentials have format {record[0]}, unknown to this version of Herald: upgrade the worker."
        )
    header_end = 2 + record[1] if len(record) > 1 else 2
    wrap_nonce_end = header_end + _NONCE
    wrapped_end = wrap_nonce_end + _WRAPPED
    body_start = wrapped_end + _NONCE
    if len(record) < body_start + _TAG:
        raise CredentialsError(
            f"The credentials are truncated: {len(record)} bytes are left. Link the phone again."
        )
    return _Parts(
        key_id=record[2:header_end].decode("ascii", "backslashreplace"),
        header=record[:header_end],
        wrap_nonce=record[header_end:wrap_nonce_end],
        wrapped_key=record[wrap_nonce_end:wrapped_end],
        wrapping=record[:wrapped_end],
        body_nonce=record[wrapped_end:body_start],
        body=record[body_start:],
    )


def _owner(organization: UUID, session: UUID, generation: int) -> bytes:
    return organization.bytes + session.bytes + struct.pack(">q", generation)
