"""Times that a database holds and Python doesn't."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from worker.api.http.fields import cursor_from, cursor_of
from worker.cli.show import distance, local_time, moment
from worker.message import seconds_until_due
from worker.moments import EARLIEST, LATEST, exact_moment, moment_of

ROW = UUID("7b0f3d1e-5f6c-4a52-9a0f-6f8f5f4f3e21")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-12-01T09:30:00+00:00", datetime(2026, 12, 1, 9, 30, tzinfo=UTC)),
        ("2026-12-01T09:30:00", datetime(2026, 12, 1, 9, 30, tzinfo=UTC)),
        ("infinity", LATEST),
        ("20260-01-01T00:00:00+00:00", LATEST),
        ("294276-12-31T23:59:59+00:00", LATEST),
        ("-infinity", EARLIEST),
        ("0044-03-15T00:00:00+00:00 BC", EARLIEST),
    ],
)
def test_every_time_of_the_database_is_read_as_one(text: str, read: datetime) -> None:
    assert exact_moment(text) == moment_of(text) == read


@pytest.mark.parametrize(
    "text", ["infinity", "-infinity", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00"]
)
def test_what_an_operator_is_shown_of_it_is_words(text: str) -> None:
    assert local_time(text)
    assert distance(moment(text))


@pytest.mark.parametrize("scheduled_for", ["infinity", "-infinity", "20260-01-01T00:00:00+00:00", 7, None, []])
def test_a_hint_of_a_message_with_no_time_makes_the_worker_look(scheduled_for: object) -> None:
    assert seconds_until_due({"scheduled_for": scheduled_for}, "2026-12-01T09:30:00+00:00") == 0


@pytest.mark.parametrize(
    "moment_shown", [LATEST, EARLIEST, datetime(1969, 12, 31, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
def test_a_page_goes_on_behind_any_time(moment_shown: datetime) -> None:
    assert cursor_from(cursor_of(moment_shown, ROW)) == (moment_shown, ROW)


def test_a_cursor_of_a_stranger_is_a_time_all_the_same() -> None:
    assert cursor_from(f"999999999999999999.{ROW}") == (LATEST, ROW)
    assert cursor_from(f"-999999999999999999.{ROW}") == (EARLIEST, ROW)
