"""Puts sealed records under the active key while workers run: wraps each data key again, and changes nothing else.

Safe to be killed and to be run again: every record is under one key or the other at every moment, and a worker
that has both reads it. What a worker writes meanwhile wins, and is looked at again in the next pass.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from worker.errors import CredentialsError
from worker.vault.keyring import Keyring, Place

#: Records in memory at once; one is 20 to 300 KB.
PAGE = 20

#: A pass finds what workers wrote during the last one. If this many don't suffice, they still write under an older key.
PASSES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A sealed record and what it takes beside a key to open it. secret: None if the Vault has lost it."""

    place: Place
    sealed: bytes = field(repr=False)
    secret: bytes | None = field(repr=False)


class Records(Protocol):
    """The sealed records of all organisations. Calls raise StoreError when Supabase is away."""

    async def keys(self) -> Mapping[str, int]:
        """Count the records under each key id; the id is empty for those of an unknown format."""

    async def page(self, *, not_under: str | None, after: UUID | None, limit: int) -> list[Record]:
        """List records that are not under a key (None: all), of sessions after the given one."""

    async def rewrap(self, record: Record, head: bytes, key_id: str) -> bool:
        """Exchange the head if the record is still what was read. Idempotent."""


@dataclass(slots=True)
class Findings:
    """What a walk came to. unreadable: the sessions whose record does not open, and why."""

    done: int = 0
    crossed: int = 0
    unreadable: dict[UUID, str] = field(default_factory=dict)


async def rotate(records: Records, keyring: Keyring, told: Callable[[int], None]) -> Findings:
    """Put every record that opens under the active key; ``told`` hears of each. Raises StoreError."""
    total = 0
    for _ in range(PASSES):
        found = Findings()
        async for record in _walk(records, keyring.active):
            await _rewrap(record, records, keyring, found)
            told(total + found.done)
        total += found.done
        if not found.done and not found.crossed:
            break
    found.done = total
    return found


async def _rewrap(record: Record, records: Records, keyring: Keyring, found: Findings) -> None:
    try:
        head = keyring.rewrap(record.sealed, record.place, secret_of(record))
    except CredentialsError as error:
        found.unreadable[record.place.session] = str(error)
        return
    if await records.rewrap(record, head, keyring.active):
        found.done += 1
    else:
        found.crossed += 1


async def check(records: Records, keyring: Keyring, told: Callable[[int], None]) -> Findings:
    """Open every record in memory, and write nothing. Raises StoreError."""
    found = Findings()
    async for record in _walk(records, None):
        try:
            keyring.open(record.sealed, record.place, secret_of(record))
        except CredentialsError as error:
            found.unreadable[record.place.session] = str(error)
        else:
            found.done += 1
        told(found.done)
    return found


async def _walk(records: Records, not_under: str | None) -> AsyncIterator[Record]:
    after = None
    while page := await records.page(not_under=not_under, after=after, limit=PAGE):
        for record in page:
            yield record
        after = page[-1].place.session


def secret_of(record: Record) -> bytes:
    """The organisation's part of the key. Raises CredentialsError if the Vault has lost it."""
    if record.secret is None:
        raise CredentialsError("The database's Vault has lost the secret of this session's organisation.")
    return record.secret
