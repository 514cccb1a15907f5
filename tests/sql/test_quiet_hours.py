"""Quiet hours: local time, over midnight, on days when clocks change, with exempt types."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Run
from tests.kit.holds import LONG, configure, drain, quiet, why
from tests.sql.quiet import quiet_until

HOUR = timedelta(hours=1)

#: Zone and a day when clocks change in it: forward, back, by half an hour, at midnight, and not at all.
DAYS = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Africa/Cairo", date(2026, 4, 24)),
    ("Africa/Cairo", date(2026, 10, 30)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Pacific/Auckland", date(2026, 9, 27)),
    ("Asia/Kolkata", date(2026, 6, 1)),
]
#: Over midnight; within a day; beginning or ending in the hour that is skipped or comes twice.
HOURS = [("21:00", "08:00"), ("12:00", "14:00"), ("01:30", "06:00"), ("22:00", "02:30"), ("23:15", "00:30")]


@pytest.mark.parametrize(("zone", "day"), DAYS, ids=lambda value: str(value))
def test_quiet_hours_last_from_start_to_end_also_when_clocks_change(db: Db, zone: str, day: date) -> None:
    noon = datetime.combine(day - timedelta(days=1), time(12), ZoneInfo(zone)).astimezone(UTC)
    db.pass_time((noon - db.now()).total_seconds())
    told, wanted = [], []
    for _ in range(48 * 3):
        moment = db.now()
        for start, end in HOURS:
            value = db.value("select herald.quiet_until(%s, %s)", Jsonb({"start": start, "end": end}), zone)
            told.append((moment, start, value))
            wanted.append((moment, start, quiet_until(moment, start, end, zone)))
        db.pass_time(20 * 60)
    assert told == wanted
    assert any(value for _, _, value in told)
    assert not all(value for _, _, value in told)


def test_messages_wait_while_it_is_quiet_and_go_when_it_ends(db: Db, org: Organisation, run: Run) -> None:
    run.heartbeat(lease=LONG)
    for zone in ("UTC", "Asia/Tokyo", "America/Los_Angeles"):
        here = db.now().astimezone(ZoneInfo(zone))
        configure(org, timezone=zone, quiet_hours=quiet(here - HOUR, here + HOUR))
        message = org.schedule()
        assert run.claim() == []
        until = why(db, message)["quiet-hours"]
        assert until == quiet_until(db.now(), f"{here - HOUR:%H:%M}", f"{here + HOUR:%H:%M}", zone)
        assert until
        db.pass_time((until - db.now()).total_seconds())
        assert drain(run) == [str(message)]


def test_exempt_types_go_out_in_quiet_hours(db: Db, org: Organisation, run: Run) -> None:
    now = db.now()
    configure(org, quiet_hours=quiet(now - HOUR, now + HOUR, "we_are_live"))
    held = org.schedule(priority=10, message_type="morning")
    live = org.schedule(message_type="we_are_live")
    assert drain(run) == [str(live)]
    assert list(why(db, held)) == ["quiet-hours"]
    due = run.exchange()["next_due"]
    assert 0 < due <= 1


def test_quiet_hours_of_one_organisation_do_not_hold_another(db: Db, org: Organisation, run: Run) -> None:
    other = Organisation(db)
    run.connect(other.session)
    configure(org, quiet_hours=quiet(db.now() - HOUR, db.now() + HOUR))
    org.schedule()
    message = other.schedule()
    assert drain(run) == [str(message)]


def test_a_time_that_comes_twice_does_not_make_it_quiet_again(db: Db, org: Organisation, run: Run) -> None:
    """Quiet until 02:30: in Berlin on 25 October 2026 that is 00:30 UTC, and 02:00 comes again at 01:00 UTC."""
    run.heartbeat(lease=LONG)
    configure(org, timezone="Europe/Berlin", quiet_hours={"start": "22:00", "end": "02:30"})
    second = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    db.pass_time((second - db.now()).total_seconds())
    message = org.schedule(scheduled_for=second)
    run.heartbeat(lease=LONG)
    db.run("update herald.session_leases set ready = true, incarnation = gen_random_uuid()")
    assert drain(run) == [str(message)]
