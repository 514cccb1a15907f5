"""What an engine reads in the library's store while the library writes there."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.unit.test_engine_copies import store
from worker.engine.sqlite import Row, SqliteError
from worker.engine.store import SessionFolder

SECRET = b"\x07"


@pytest.fixture
def folder(tmp_path: Path) -> SessionFolder:
    """A linked account's, in which one message was written ahead."""
    made = SessionFolder(tmp_path, str(uuid4()))
    made.path.mkdir()
    made.store.write_bytes(store("insert into whatsmeow_message_secrets values ('3EB0A1', x'07')"))
    return made


def test_what_was_written_ahead_is_found_and_what_was_not_is_not(folder: SessionFolder) -> None:
    assert folder.written(SECRET) == "3EB0A1"
    assert folder.written(b"\x08") is None


def test_a_store_that_was_emptied_tells_nothing(folder: SessionFolder) -> None:
    folder.store.write_bytes(store("delete from whatsmeow_device"))
    with pytest.raises(SqliteError, match="no device"):
        folder.written(SECRET)


def test_a_store_that_is_emptied_meanwhile_does_not_say_that_nothing_was_written(
    folder: SessionFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the library does when the phone unlinks the device: else the message would go out twice."""
    look = folder._one

    def look_before_it_is_emptied(query: str, *values: str | bytes) -> Row | None:
        row = look(query, *values)
        folder.store.write_bytes(store("delete from whatsmeow_device"))
        return row

    monkeypatch.setattr(folder, "_one", look_before_it_is_emptied)
    assert folder.written(SECRET) == "3EB0A1"
