"""The rate of arrivals, read from a ledger that grows."""

import json
from pathlib import Path

import pytest

from tests.kit.arrivals import Arrivals


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.jsonl"
    path.touch()
    return path


def arrive(ledger: Path, *times: float) -> None:
    with ledger.open("a") as file:
        file.writelines(json.dumps({"text": f"at {time}", "arrived_at": time}) + "\n" for time in times)


def test_the_rate_is_back_in_the_first_second_with_as_many(ledger: Path) -> None:
    arrivals = Arrivals(ledger)
    arrive(ledger, 0.1, 0.2, 0.3, 0.4, 5.0)
    assert arrivals.first_second(1.0, 3) is None
    arrive(ledger, 6.5, 7.0, 7.2, 7.3)
    assert arrivals.first_second(1.0, 3) == 7.2
    assert arrivals.first_second(0.0, 3) == 0.3
    assert arrivals.first_second(1.0, 5) is None


def test_a_group_message_counts_once_and_a_torn_line_waits(ledger: Path) -> None:
    arrivals = Arrivals(ledger)
    arrive(ledger, 1.5)
    arrive(ledger, 1.5)
    with ledger.open("a") as file:
        file.write('{"text": "torn", ')
    assert arrivals.within(1, 2) == 1
    with ledger.open("a") as file:
        file.write('"arrived_at": 1.7}\n')
    assert arrivals.within(1, 2) == 2
    assert arrivals.median_rate(0, 3) == 0
    assert arrivals.median_rate(1, 2) == 2


def test_the_first_of_some_texts_after_a_moment(ledger: Path) -> None:
    arrivals = Arrivals(ledger)
    arrive(ledger, 1.0, 2.0, 3.0, 4.0)
    assert arrivals.first_of(["at 1.0", "at 4.0", "at 3.0"], 1.5) == 3.0
    assert arrivals.first_of(["at 1.0", "never"], 1.5) is None
