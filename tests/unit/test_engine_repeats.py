"""The mirror of the library's memory, where a real phone does not go; tests/contract/test_repeats.py goes the rest."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from worker.engine.protocol import ReceiptType
from worker.engine.repeats import ASKED_LAST, COUNTED, UNANSWERED, Repeats
from worker.engine.store import SessionFolder

PHONE = "4917000000001@lid"


@pytest.fixture
def repeats(tmp_path: Path) -> Repeats:
    made = Repeats(SessionFolder(tmp_path, "11111111-1111-4111-8111-111111111111"))
    made.begin(b"s" * 32)
    made.end("3EB0A1")
    return made


def test_the_tenth_request_of_a_device_is_not_answered(repeats: Repeats) -> None:
    told = [repeats.asked("3EB0A1", PHONE) for _ in range(UNANSWERED)]
    asks = [ReceiptType.ASKS] * (UNANSWERED - ASKED_LAST)
    assert told == [None] * (ASKED_LAST - 1) + asks + [ReceiptType.UNREADABLE]
    assert repeats.asked("3EB0A1", "another@lid") is None


def test_a_request_that_overtakes_the_librarys_answer_is_known(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path, "11111111-1111-4111-8111-111111111111")
    folder.store.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder.store)) as store, store:
        store.execute("create table whatsmeow_device (jid text)")
        store.execute("insert into whatsmeow_device values ('4917000000009:1@s.whatsapp.net')")
        store.execute("create table whatsmeow_message_secrets (message_id text, key blob)")
        store.execute("insert into whatsmeow_message_secrets values ('3EB0A2', ?)", [b"t" * 32])
    repeats = Repeats(folder)
    repeats.begin(b"t" * 32)
    assert repeats.asked("3EB0A2", PHONE) is None
    assert repeats.asked("3EB0A3", PHONE) is ReceiptType.UNREADABLE
    repeats.end("3EB0A2")
    assert repeats.asked("3EB0A2", PHONE) is None


def test_what_strangers_ask_for_takes_no_memory(repeats: Repeats) -> None:
    assert {repeats.asked(f"made up {n}", f"{n}@lid") for n in range(3 * COUNTED)} == {ReceiptType.UNREADABLE}
    assert len(repeats._asked) == 0


def test_a_send_that_failed_takes_a_place_as_it_does_in_the_library(repeats: Repeats) -> None:
    for _ in range(256):
        repeats.begin(b"t" * 32)
        repeats.end()
    assert repeats.asked("3EB0A1", PHONE) is ReceiptType.UNREADABLE
