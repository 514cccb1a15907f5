"""Which store a session begins with: the files on this host if the newest snapshot is theirs, else the snapshot."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.unit.test_lease import held
from worker.errors import CredentialsError
from worker.ports import Credentials, Sealed
from worker.providers.web.ports import Copies
from worker.session import Held
from worker.vault.keyring import Keyring, Place
from worker.vault.live_store import LiveStore

HELD, SECRET, KEYRING = held(datetime.now(UTC)), bytes(32), Keyring({"default": bytes(range(32))})


@dataclass
class Database(Credentials):
    """One session's sealed state, as the database keeps it."""

    sealed: Sealed | None = None
    secret: bytes | None = SECRET
    attached: list[UUID] = field(default_factory=list)

    async def organization_secret(self, _held: Held) -> bytes | None:
        return self.secret

    async def read(self, _held: Held) -> Sealed | None:
        return self.sealed

    async def write(self, _held: Held, sealed: Sealed) -> None:
        assert sealed.generation == (self.sealed.generation if self.sealed else 0) + 1
        self.sealed = sealed

    async def forget(self, _held: Held) -> None:
        self.sealed = None

    async def attach(self, _held: Held, incarnation: UUID) -> None:
        self.attached.append(incarnation)


@dataclass
class Engine(Copies):
    """Copies the file; notes whose ratchets it was told to forget."""

    path: Path
    forgotten: list[UUID] = field(default_factory=list)

    async def fingerprint(self, _session_id: UUID) -> str:
        return "the keys of a device"

    async def snapshot(self, _session_id: UUID, *, ratchets: bool) -> bytes:
        assert not ratchets
        return self.path.read_bytes()

    async def forget_ratchets(self, session_id: UUID) -> None:
        self.forgotten.append(session_id)


def sealed(text: bytes, incarnation: UUID, *, clean: bool = False, fresh: bool = False) -> Sealed:
    place = Place(
        organization=HELD.organization_id,
        session=HELD.session_id,
        generation=7,
        incarnation=incarnation,
        clean=clean,
    )
    return Sealed(
        generation=7,
        record=KEYRING.seal(text, place, SECRET),
        key_id="default",
        incarnation=incarnation,
        clean=clean,
        fresh=fresh,
    )


class Scene:
    """A host with or without files of a session, and a database with or without its snapshot."""

    def __init__(self, folder: Path) -> None:
        self.database, self.engine = Database(), Engine(folder / "store.db")
        self.store = LiveStore(HELD, folder, self.database, self.engine, KEYRING)

    def leave(self, text: bytes, incarnation: UUID) -> None:
        """Files of an earlier life on this host."""
        self.store.folder.mkdir(parents=True)
        (self.store.folder / "store.db").write_bytes(text)
        (self.store.folder / "store.db-wal").write_bytes(b"not in the file yet")
        (self.store.folder / "journal.jsonl").write_text("receipts")
        (self.store.folder / "incarnation").write_text(str(incarnation))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "session")


async def test_a_new_session_has_an_incarnation_and_no_snapshot(scene: Scene) -> None:
    await scene.store.prepare()
    assert scene.database.attached == [scene.store.incarnation]
    assert scene.store.folder.stat().st_mode & 0o777 == 0o700
    assert (scene.store.linked, scene.database.sealed, scene.store.path.exists()) == (False, None, False)


async def test_files_that_the_newest_snapshot_was_taken_from_are_kept_with_their_ratchets(scene: Scene) -> None:
    life = uuid4()
    scene.leave(b"newer than the snapshot", life)
    scene.database.sealed = before = sealed(b"the snapshot", life)
    await scene.store.prepare()
    assert scene.store.path.read_bytes() == b"newer than the snapshot"
    assert (scene.store.folder / "store.db-wal").exists()
    assert (scene.database.attached, scene.engine.forgotten) == ([life], [])
    assert scene.database.sealed is before, "nothing is to be sealed yet"
    assert scene.store.linked


async def test_files_without_any_snapshot_are_kept(scene: Scene) -> None:
    life = uuid4()
    scene.leave(b"linked, and not sealed yet", life)
    await scene.store.prepare()
    assert scene.store.path.read_bytes() == b"linked, and not sealed yet"
    assert scene.database.attached == [life]


async def test_a_clean_snapshot_of_kept_files_is_followed_by_one_that_is_not(scene: Scene) -> None:
    """From now on messages change the store: the clean one must not be taken for the newest again."""
    life = uuid4()
    scene.leave(b"stopped in order", life)
    scene.database.sealed = sealed(b"stopped in order", life, clean=True, fresh=True)
    await scene.store.prepare()
    written = scene.database.sealed
    assert (written.generation, written.clean, written.incarnation) == (8, False, life)
    assert scene.engine.forgotten == []


@pytest.mark.parametrize("files", ["none", "of another life", "without a store"])
@pytest.mark.parametrize(("fresh", "forgotten"), [(True, []), (False, [HELD.session_id])])
async def test_a_snapshot_is_restored_where_no_file_is_its_own(
    scene: Scene, files: str, fresh: bool, forgotten: list[UUID]
) -> None:
    life = uuid4()
    if files != "none":
        scene.leave(b"old", uuid4() if files == "of another life" else life)
    if files == "without a store":
        scene.store.path.unlink()
    scene.database.sealed = sealed(b"the snapshot", life, clean=fresh, fresh=fresh)
    await scene.store.prepare()
    assert scene.store.path.read_bytes() == b"the snapshot"
    assert scene.store.path.stat().st_mode & 0o777 == 0o600
    assert not (scene.store.folder / "store.db-wal").exists()
    assert (scene.store.folder / "journal.jsonl").exists() is (files != "none")
    assert scene.store.incarnation != life
    assert (scene.store.folder / "incarnation").read_text() == str(scene.store.incarnation)
    assert scene.database.attached == [scene.store.incarnation]
    assert scene.engine.forgotten == forgotten
    written = scene.database.sealed
    assert (written.generation, written.clean, written.incarnation) == (8, False, scene.store.incarnation)


@pytest.mark.parametrize("files", [True, False], ids=["with files", "without files"])
async def test_a_snapshot_that_does_not_open_stops_the_session_and_changes_nothing(
    scene: Scene, files: bool
) -> None:
    life = uuid4()
    if files:
        scene.leave(b"of the same life", life)
    whole = sealed(b"the snapshot", life)
    scene.database.sealed = spoilt = replace(whole, record=whole.record[:-1] + bytes([whole.record[-1] ^ 1]))
    with pytest.raises(CredentialsError, match="were changed since they were sealed"):
        await scene.store.prepare()
    assert (scene.database.sealed, scene.database.attached) == (spoilt, [])
    assert scene.store.path.exists() is files


async def test_a_lost_secret_of_the_organisation_is_told_before_anything_is_touched(scene: Scene) -> None:
    scene.database.secret = None
    scene.leave(b"whole", uuid4())
    with pytest.raises(CredentialsError, match="Vault has lost the secret"):
        await scene.store.prepare()
    assert scene.store.path.read_bytes() == b"whole"


async def test_an_unlinked_device_is_forgotten_here_and_in_the_database(scene: Scene) -> None:
    life = uuid4()
    scene.leave(b"linked", life)
    scene.database.sealed = sealed(b"linked", life)
    await scene.store.prepare()
    await scene.store.forget()
    assert not scene.store.folder.exists()
    assert await scene.database.read(HELD) is None
