"""What an organisation may set: refused where it makes no sense, with words that say what would."""

import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation

CHECK_VIOLATION = "23514"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+3", "Japan"])
def test_a_zone_of_the_iana_list_is_known(db: Db, zone: str) -> None:
    assert db.value("select herald.is_timezone(%s)", zone) is True


@pytest.mark.parametrize("zone", ["UTC+3", "EST5EDT", "Europe/Atlantis", "europe/berlin", "+03:00", "", "now"])
def test_another_zone_is_not(db: Db, org: Organisation, zone: str) -> None:
    assert db.value("select herald.is_timezone(%s)", zone) is False
    change = "update public.workshop_automation_config set timezone = %s where organization_id = %s"
    assert db.refusal(change, zone, org.id) == CHECK_VIOLATION


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ([], "must be an object of message types"),
        ({"morning": 8}, '"morning" must be an object'),
        ({"morning": {"late": "1 hour"}}, 'needs either "at"'),
        ({"morning": {"at": "08:00", "offset": "1 hour"}}, 'needs either "at"'),
        ({"morning": {"at": "8 o'clock"}}, "must be a time like 08:00"),
        ({"morning": {"at": "08:00", "day": 31}}, "from -30 to 30"),
        ({"morning": {"offset": "2 months"}}, "within 30 days"),
        ({"morning": {"offset": "soon"}}, "no time, number or interval"),
        ({"morning": {"at": "08:00", "late": "0 minutes"}}, "from 1 minute to 7 days"),
        ({"morning": {"at": "08:00", "enabled": "yes"}}, "true or false"),
        ({"morning": {"at": "08:00", "lat": "1 hour"}}, "at, day, offset, late, template and enabled only"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused_with_its_reason(
    db: Db, org: Organisation, schedule: object, problem: str
) -> None:
    assert problem in db.value("select herald.schedule_problem(%s)", Jsonb(schedule))
    change = "update public.workshop_automation_config set message_schedule = %s where organization_id = %s"
    assert db.refusal(change, Jsonb(schedule), org.id) == CHECK_VIOLATION


def test_the_default_schedule_makes_sense(db: Db, org: Organisation) -> None:
    answer = db.value(
        "select herald.schedule_problem(message_schedule) from public.workshop_automation_config"
        " where organization_id = %s",
        org.id,
    )
    assert answer is None
