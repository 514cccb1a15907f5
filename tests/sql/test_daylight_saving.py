"""Every message at the documented instant, wherever and whenever the clocks change.

The rule (docs/workshops.md): a local time that is skipped is taken with the offset of before the change (02:30 is
03:30); one that comes twice is the first; offsets of hours are durations, offsets of days keep the local time.
Instants that were worked out by hand stand in clock_changes.py; Python's zoneinfo, whose fold=0 is the same rule
(PEP 495), judges the rest.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.kit.database import Db
from tests.kit.workshops import Workshops, utc
from tests.sql.clock_changes import CASES, LITERALS, SCHEDULE, ZONES, Case
from tests.sql.schedule_oracle import entry_instant, local_instant


@pytest.mark.parametrize(("zone", "wall", "instant"), LITERALS)
def test_a_local_time_is_the_documented_instant(db: Db, zone: str, wall: str, instant: str) -> None:
    local = datetime.fromisoformat(wall)
    found = db.value("select herald.local_instant(%s, %s, %s)", local.date(), local.time(), zone)
    assert found == utc(instant)


def changes(zone: str, since: int = 2000, until: int = 2038) -> Iterator[datetime]:
    """The local times from which on the zone's clocks show something else, to the quarter of an hour."""
    info, step = ZoneInfo(zone), timedelta(minutes=15)
    moment = datetime(since, 1, 1, tzinfo=UTC)
    while moment.year < until:
        day = moment + timedelta(days=1)
        if moment.astimezone(info).utcoffset() != day.astimezone(info).utcoffset():
            while moment.astimezone(info).utcoffset() == (moment + step).astimezone(info).utcoffset():
                moment += step
            yield moment.astimezone(info).replace(tzinfo=None, fold=0)
            moment += step
        else:
            moment = day


@pytest.mark.parametrize("zone", ZONES)
def test_around_every_change_of_40_years_it_is_what_python_says(db: Db, zone: str) -> None:
    quarters = [change + timedelta(minutes=15 * n) for change in changes(zone) for n in range(-10, 11)]
    noons = [datetime(year, month, 10, 12) for year in range(2000, 2038) for month in range(1, 13)]
    walls = quarters + noons
    rows = db.rows(
        "select t.wall, herald.local_instant(t.wall::date, t.wall::time, %s) as instant"
        " from unnest(%s::timestamp[]) as t (wall)",
        *(zone, walls),
    )
    wrong = [r for r in rows if r["instant"] != local_instant(r["wall"].date(), r["wall"].time(), zone)]
    assert len(rows) == len(walls)
    assert wrong == []
    assert zone == "Asia/Kolkata" or len(quarters) > 40


@pytest.mark.parametrize("how", ["made", "moved there", "moved to its zone", "scheduled anew"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_message_of_a_workshop_at_a_change_is_at_its_instant(
    workshops: Workshops, case: Case, how: str
) -> None:
    start, plain = utc(case.start), {kind: {"at": "12:00"} for kind in SCHEDULE}
    workshops.at(start - timedelta(days=30))
    workshops.db.run(
        "insert into public.whatsapp_message_templates (organization_id, name, content)"
        " select %s, unnest(%s::text[]), 'Hello'",
        *(workshops.org.id, [kind for kind in SCHEDULE if kind != "morning"]),
    )
    workshops.configure(message_schedule=plain if how == "scheduled anew" else SCHEDULE)
    workshop = workshops.add(
        starts_at=start + (timedelta(days=14) if how == "moved there" else timedelta()),
        timezone="America/Bogota" if how == "moved to its zone" else case.zone,
    )
    if how == "moved there":
        workshops.update(workshop, starts_at=start)
    if how == "moved to its zone":
        workshops.update(workshop, timezone=case.zone)
    if how == "scheduled anew":
        workshops.configure(message_schedule=SCHEDULE)
    assert workshops.times(workshop) == {kind: utc(instant) for kind, instant in case.times.items()}
    assert all(
        row["expires_at"] - row["scheduled_for"] == timedelta(hours=1)
        for row in workshops.messages(workshop).values()
    ), "lateness is a duration"


entries = st.one_of(
    st.builds(lambda at, day: {"at": at.strftime("%H:%M"), "day": day}, st.times(), st.integers(-30, 30)),
    st.builds(
        lambda days, hours, minutes: {"offset": f"{days} days {hours} hours {minutes} minutes"},
        *(st.integers(-20, 20), st.integers(-30, 30), st.integers(-90, 90)),
    ),
)


@settings(
    max_examples=300,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2001, 1, 1), datetime(2036, 12, 31), timezones=st.just(UTC)),
    entries,
)
def test_any_entry_of_a_schedule_is_at_the_instant_that_python_says(
    db: Db, zone: str, start: datetime, entry: dict[str, object]
) -> None:
    found = db.value("select herald.schedule_instant(%s, %s, %s)", Jsonb(entry), start, zone)
    assert found == entry_instant(entry, start, zone)


def test_the_zone_of_the_connection_does_not_matter(db: Db) -> None:
    asked = (Jsonb({"offset": "-1 day 3 hours"}), utc("2026-03-29T17:00"), "Europe/Berlin")
    for zone in ("UTC", "America/New_York", "Pacific/Apia"):
        db.run("select set_config('TimeZone', %s, true)", zone)
        assert db.value("select herald.schedule_instant(%s, %s, %s)", *asked) == utc("2026-03-28T21:00")
        assert db.value(
            "select herald.local_instant(%s, %s, %s)", date(2026, 10, 25), time(2, 30), "Europe/Berlin"
        ) == (utc("2026-10-25T00:30"))
