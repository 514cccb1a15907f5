"""The journal: numbered, kept until acknowledged, whole after a crash."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.engine.journal import SLACK, Event, Journal


def told(path: Path) -> list[int]:
    """What a fresh engine would tell."""
    heard: list[Event] = []
    journal = Journal(path)
    journal.replay(heard.append)
    journal.close()
    return [event["seq"] for event in heard]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def record(journal: Journal, count: int) -> list[Event]:
    heard: list[Event] = []
    for number in range(count):
        journal.record({"event": "receipt", "n": number}, heard.append)
    return heard


def test_events_are_on_file_before_they_are_told(path: Path) -> None:
    journal = Journal(path)
    on_file: list[bool] = []
    journal.record({"event": "sent", "token": "t"}, lambda _: on_file.append('"token": "t"' in path.read_text()))
    assert on_file == [True]


def test_what_is_not_acknowledged_is_told_again(path: Path) -> None:
    journal = Journal(path)
    record(journal, 5)
    journal.acknowledge(3)
    assert told(path) == [4, 5]


def test_numbers_go_on_after_everything_was_acknowledged(path: Path) -> None:
    journal = Journal(path)
    record(journal, 5)
    journal.acknowledge(5)
    journal.close()
    assert told(path) == []
    assert record(Journal(path), 1)[0]["seq"] == 6


def test_a_torn_last_line_is_dropped_and_its_number_used_again(path: Path) -> None:
    journal = Journal(path)
    record(journal, 3)
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert told(path) == [1, 2]
    assert record(Journal(path), 1)[0]["seq"] == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(cut=st.integers(0, 400), acknowledged=st.integers(0, 6))
def test_any_cut_leaves_a_prefix(path: Path, cut: int, acknowledged: int) -> None:
    path.unlink(missing_ok=True)
    journal = Journal(path)
    record(journal, 6)
    if acknowledged:
        journal.acknowledge(acknowledged)
    journal.close()
    path.write_bytes(path.read_bytes()[: max(0, path.stat().st_size - cut)])
    numbers = told(path)
    assert numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else True
    assert told(path) == numbers


def test_the_file_stays_small(path: Path) -> None:
    journal = Journal(path)
    record(journal, 2 * SLACK + 10)
    for number in range(1, 2 * SLACK):
        journal.acknowledge(number)
    assert len(path.read_text().splitlines()) < SLACK * 2
    assert json.loads(path.read_text().splitlines()[0])["acked"] > 0


def test_a_closed_journal_takes_nothing_more(path: Path) -> None:
    journal = Journal(path)
    journal.close()
    assert record(journal, 1) == []
    journal.acknowledge(1)
    assert told(path) == []
