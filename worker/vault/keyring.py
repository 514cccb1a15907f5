"""Seals session state with AES-256-GCM, so that the database alone opens no account.

Every record is encrypted under its own data key. The data key is wrapped by a key that comes from one of the
operator's key-encryption keys and the organisation's secret (HKDF-SHA256), so that neither opens anything alone::

    version 2 | id length 1 | key id | nonce 12 | wrapped data key 32+16 ‖ nonce 12 | zlib body | tag 16
    ╰───────────────────────── head ──────────────────────────────────╯   ╰────────── body ───────────╯

Both layers authenticate the record's place: organisation, session, generation, incarnation and clean flag. A
record put in another row, an older one put back under newer facts, or a flag that was changed beside it does not
open. The head authenticates itself too, and only itself: a rotation writes another head and leaves the body alone.
A random nonce under one wrapping key is good for 2**32 writes (NIST SP 800-38D, 8.3): at 30 snapshots a second,
four years.
"""

import secrets
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from worker.errors import CredentialsError
from worker.settings import Settings

_VERSION = 2
_NONCE = 12
_TAG = 16
_WRAPPED = 32 + _TAG
_PURPOSE = b"herald: wraps the data keys of an organisation's sessions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The row that a record belongs to: the record opens nowhere else."""

    organization: UUID
    session: UUID
    generation: int
    incarnation: UUID
    clean: bool

    @property
    def bytes(self) -> bytes:
        """What both layers authenticate."""
        ids = self.organization.bytes + self.session.bytes + self.incarnation.bytes
        return ids + struct.pack(">q?", self.generation, self.clean)


class Keyring:
    """The operator's key-encryption keys by id; ``active`` is the id that new records are sealed under.

    secret, in every method: the organisation's, 32 bytes.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take 32-byte keys by id, the active one first; an id is 1 to 255 ASCII characters."""
        self._keys = dict(keys)
        self.ids = tuple(keys)
        self.active = self.ids[0]

    @classmethod
    def from_settings(cls, settings: Settings) -> "Keyring":
        """Use ENCRYPTION_KEY or ENCRYPTION_KEYS."""
        return cls(settings.sealing_keys())

    def seal(self, plaintext: bytes, place: Place, secret: bytes) -> bytes:
        """Compress and encrypt under a fresh data key; only the same place and secret open it."""
        data_key = secrets.token_bytes(32)
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(data_key).encrypt(nonce, zlib.compress(plaintext), bytes([_VERSION]) + place.bytes)
        return self._wrap(data_key, place, secret) + nonce + sealed

    def open(self, record: bytes, place: Place, secret: bytes) -> bytes:
        """Give back exactly what was sealed for this place, or raise CredentialsError."""
        return zlib.decompress(self._unlock(_split(record), place, secret)[1])

    def rewrap(self, record: bytes, place: Place, secret: bytes) -> bytes:
        """Make the head that puts the record under the active key; the body stays. Raises CredentialsError."""
        data_key, _ = self._unlock(_split(record), place, secret)
        return self._wrap(data_key, place, secret)

    def _wrap(self, data_key: bytes, place: Place, secret: bytes) -> bytes:
        key_id = self.active.encode("ascii")
        header = bytes([_VERSION, len(key_id)]) + key_id
        nonce = secrets.token_bytes(_NONCE)
        return header + nonce + self._wrapping(self.active, secret).encrypt(nonce, data_key, header + place.bytes)

    def _unlock(self, parts: "_Parts", place: Place, secret: bytes) -> tuple[bytes, bytes]:
        """The data key and the compressed plaintext."""
        if parts.key_id not in self._keys:
            raise CredentialsError(
                f"The credentials are sealed with key {parts.key_id!r}, which this worker does not have: "
                "add it to ENCRYPTION_KEYS."
            )
        wrapping = self._wrapping(parts.key_id, secret)
        try:
            data_key = wrapping.decrypt(parts.wrap_nonce, parts.wrapped_key, parts.header + place.bytes)
            body = AESGCM(data_key).decrypt(parts.body_nonce, parts.sealed, bytes([_VERSION]) + place.bytes)
        except InvalidTag:
            raise CredentialsError(
                "The credentials belong to another session or generation, were changed since they were sealed, "
                f"or this worker's key {parts.key_id!r} is not the one that sealed them: "
                "correct its ENCRYPTION_KEY, or unlink the phone and scan again."
            ) from None
        return data_key, body

    def _wrapping(self, key_id: str, secret: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), length=32, salt=secret, info=_PURPOSE).derive(self._keys[key_id]))


def key_id_of(record: bytes) -> str:
    """Which key wrapped the record's data key (not yet authenticated). Raises CredentialsError."""
    return _split(record).key_id


def head_of(record: bytes) -> bytes:
    """What a rotation exchanges. Raises CredentialsError."""
    return _split(record).head


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    key_id: str
    header: bytes
    wrap_nonce: bytes
    wrapped_key: bytes
    head: bytes  #: everything before the body's nonce
    body_nonce: bytes
    sealed: bytes


def _split(record: bytes) -> _Parts:
    if record and record[0] != _VERSION:
        raise CredentialsError(
            f"The credentials have format {record[0]}, unknown to this version of Herald: upgrade the worker."
        )
    header_end = 2 + record[1] if len(record) > 1 else 2
    wrap_nonce_end = header_end + _NONCE
    wrapped_end = wrap_nonce_end + _WRAPPED
    sealed_start = wrapped_end + _NONCE
    if len(record) < sealed_start + _TAG:
        raise CredentialsError(
            f"The credentials are truncated: {len(record)} bytes are left. Link the phone again."
        )
    return _Parts(
        key_id=record[2:header_end].decode("ascii", "backslashreplace"),
        header=record[:header_end],
        wrap_nonce=record[header_end:wrap_nonce_end],
        wrapped_key=record[wrap_nonce_end:wrapped_end],
        head=record[:wrapped_end],
        body_nonce=record[wrapped_end:sealed_start],
        sealed=record[sealed_start:],
    )
