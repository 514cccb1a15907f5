"""A record is put under another key: its head only, and at every moment one of the two keys opens it."""

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from tests.unit.test_keyring import NEW, OLD, PLACE, PLAINTEXT, RECORD, SECRET, opened
from worker.errors import CredentialsError
from worker.vault.keyring import Keyring, head_of, key_id_of
from worker.vault.rotation import PAGE, Record, check, rotate

BOTH = Keyring({"2027": NEW, "default": OLD})
ONLY_OLD, ONLY_NEW = Keyring({"default": OLD}), Keyring({"2027": NEW})


class Table:
    """Sealed records in memory. ``before_rewrap`` is what a worker does at that moment."""

    def __init__(self, count: int) -> None:
        self.rows: dict[UUID, Record] = {}
        for _ in range(count):
            self.write(uuid4(), ONLY_OLD, 1)
        self.crossing: dict[
            UUID, Keyring
        ] = {}  #: a session's worker writes its next generation under this keyring

    def write(self, session: UUID, keyring: Keyring, generation: int) -> None:
        place = replace(PLACE, session=session, generation=generation)
        self.rows[session] = Record(place=place, sealed=keyring.seal(PLAINTEXT, place, SECRET), secret=SECRET)

    def readable_with(self, keyring: Keyring) -> int:
        found = 0
        for row in self.rows.values():
            found += keyring.open(row.sealed, row.place, SECRET) == PLAINTEXT
        return found

    async def keys(self) -> Mapping[str, int]:
        ids = [key_id_of(row.sealed) for row in self.rows.values()]
        return {key_id: ids.count(key_id) for key_id in set(ids)}

    async def page(self, *, not_under: str | None, after: UUID | None, limit: int) -> list[Record]:
        found = [
            row
            for session, row in sorted(self.rows.items())
            if (after is None or session > after) and key_id_of(row.sealed) != not_under
        ]
        return found[:limit]

    async def rewrap(self, record: Record, head: bytes, key_id: str) -> bool:
        assert head[2 : 2 + head[1]].decode() == key_id
        session = record.place.session
        if session in self.crossing:
            self.write(session, self.crossing.pop(session), self.rows[session].place.generation + 1)
        if self.rows[session] != record:
            return False
        body = record.sealed[len(head_of(record.sealed)) :]
        self.rows[session] = replace(record, sealed=head + body)
        return True


def nobody(_: int) -> None:
    """Hears of progress."""


def test_a_new_head_leaves_the_body_as_it_is() -> None:
    head = BOTH.rewrap(RECORD, PLACE, SECRET)
    moved = head + RECORD[len(head_of(RECORD)) :]
    assert key_id_of(moved) == "2027"
    assert opened(moved, BOTH) == opened(moved, ONLY_NEW) == PLAINTEXT
    with pytest.raises(CredentialsError, match="does not have"):
        opened(moved, ONLY_OLD)
    for position in range(len(moved)):
        with pytest.raises(CredentialsError):
            opened(moved[:position] + bytes([moved[position] ^ 1]) + moved[position + 1 :], ONLY_NEW)


def test_a_record_that_was_changed_is_not_put_under_another_key() -> None:
    for position in range(len(RECORD)):
        with pytest.raises(CredentialsError):
            BOTH.rewrap(RECORD[:position] + bytes([RECORD[position] ^ 1]) + RECORD[position + 1 :], PLACE, SECRET)


async def test_after_a_rotation_the_old_key_is_not_needed() -> None:
    table, heard = Table(2 * PAGE + 1), list[int]()
    found = await rotate(table, BOTH, heard.append)
    assert (found.done, found.unreadable, heard[-1]) == (2 * PAGE + 1, {}, 2 * PAGE + 1)
    assert await table.keys() == {"2027": 2 * PAGE + 1}
    assert table.readable_with(ONLY_NEW) == 2 * PAGE + 1


async def test_a_workers_own_write_that_crosses_wins() -> None:
    table = Table(6)
    under_new, under_old, *_ = table.rows
    table.crossing = {under_new: BOTH, under_old: ONLY_OLD}
    found = await rotate(table, BOTH, nobody)
    assert table.rows[under_new].place.generation == table.rows[under_old].place.generation == 2
    assert (found.done, found.crossed, table.readable_with(ONLY_NEW)) == (5, 0, 6)


async def test_a_worker_that_keeps_writing_under_the_old_key_does_not_hold_it_up_for_ever() -> None:
    class Stubborn(Table):
        async def rewrap(self, record: Record, head: bytes, key_id: str) -> bool:
            self.crossing[record.place.session] = ONLY_OLD
            return await super().rewrap(record, head, key_id)

    table = Stubborn(1)
    found = await rotate(table, BOTH, nobody)
    assert (found.done, found.crossed, table.readable_with(BOTH)) == (0, 1, 1)


async def test_what_cannot_be_opened_is_named_and_stays_as_it_is() -> None:
    table = Table(5)
    changed, keyless, foreign, secretless, _ = table.rows
    bad = {
        changed: replace(table.rows[changed], sealed=table.rows[changed].sealed[:-1] + b"?"),
        keyless: replace(table.rows[keyless], sealed=Keyring({"lost": bytes(32)}).seal(PLAINTEXT, PLACE, SECRET)),
        foreign: replace(table.rows[foreign], sealed=table.rows[keyless].sealed),
        secretless: replace(table.rows[secretless], secret=None),
    }
    table.rows |= bad
    found = await rotate(table, BOTH, nobody)
    assert (found.done, set(found.unreadable)) == (1, set(bad))
    assert {session: table.rows[session] for session in bad} == bad
    assert "were changed since" in found.unreadable[changed]
    assert "key 'lost'" in found.unreadable[keyless]
    assert "belong to another session" in found.unreadable[foreign]
    assert "Vault" in found.unreadable[secretless]
    looked = await check(table, BOTH, nobody)
    assert (looked.done, looked.unreadable) == (1, found.unreadable)
