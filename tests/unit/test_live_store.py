"""When a live store is sealed: at once for what a lost host must not lose, else once an hour."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.test_lease import held
from worker.ports import Credentials, Sealed
from worker.providers.web.ports import Copies
from worker.vault import live_store
from worker.vault.keyring import Keyring
from worker.vault.live_store import LiveStore


class Store:
    """A live store, and the database that its snapshots go to."""

    def __init__(self) -> None:
        self.mark, self.content = "linked", b"first"
        self.asked: list[bool] = []
        self.written: list[Sealed] = []

    async def fingerprint(self, _session: object) -> str:
        return self.mark

    async def snapshot(self, _session: object, *, ratchets: bool) -> bytes:
        self.asked.append(ratchets)
        return self.content

    async def write(self, _held: object, sealed: Sealed) -> None:
        self.written.append(sealed)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def live(store: Store, tmp_path: Path) -> LiveStore:
    made: Any = store
    keyring = Keyring({"default": bytes(32)})
    return LiveStore(held(datetime.now(UTC)), tmp_path, cast("Credentials", made), cast("Copies", made), keyring)


async def test_what_changes_with_every_message_is_sealed_once_an_hour(
    store: Store, live: LiveStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await live.snapshot(clean=False)
    store.content = b"a message later"
    assert not await live.snapshot(clean=False)
    assert len(store.asked) == 1
    monkeypatch.setattr(live_store, "LONGEST_UNSEALED", 0.0)
    assert await live.snapshot(clean=False)
    assert not await live.snapshot(clean=False)  # nothing has changed at all since
    assert [sealed.generation for sealed in store.written] == [1, 2]


async def test_a_new_key_is_sealed_at_once(store: Store, live: LiveStore) -> None:
    await live.snapshot(clean=False)
    store.mark = "new pre-keys"
    assert await live.snapshot(clean=False)


async def test_ratchets_go_with_a_clean_snapshot_only(store: Store, live: LiveStore) -> None:
    await live.snapshot(clean=False)
    await live.snapshot(clean=False, force=True)
    await live.snapshot(clean=True)
    assert store.asked == [False, False, True]
    assert [sealed.clean for sealed in store.written] == [False, False, True]
