"""What a CRM's own tables hold is not Herald's to refuse: the write goes through, and words say what is wrong."""

from datetime import timedelta
from typing import Any, LiteralString

import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation, Row
from tests.kit.workshops import START, Workshops

OUT_OF_TIME = ["infinity", "-infinity", "20260-01-01 00:00Z", "0044-03-15 00:00Z BC"]


def without_rules(db: Db, table: str) -> None:
    """As in a CRM that had this table before Herald came."""
    for rule in db.rows(
        "select conname as name from pg_constraint where contype = 'c' and conrelid = %s::regclass",
        f"public.{table}",
    ):
        db.connection.execute(f'alter table public.{table} drop constraint "{rule["name"]}"')


@pytest.fixture
def notify(db: Db, org: Organisation) -> Any:
    without_rules(db, "notification_queue")
    db.insert(
        "public.whatsapp_message_templates",
        organization_id=org.id,
        name="ready",
        content="{{name}}: {{thing}} is ready",
    )

    def queue(**columns: object) -> Row:
        row: dict[str, object] = {"recipient_phone": "+491701234567", "message_data": Jsonb({"thing": "Your pot"})}
        made = db.insert(
            "public.notification_queue",
            organization_id=org.id,
            type="whatsapp",
            template="ready",
            recipient_name="Asha",
            **(row | columns),
        )
        return db.row("select status, error_message from public.notification_queue where id = %s", made)

    return queue


@pytest.mark.parametrize("moment", OUT_OF_TIME)
def test_a_notification_for_no_possible_time_fails_in_words(notify: Any, moment: str) -> None:
    row = notify(scheduled_for=moment)
    assert row["status"] == "failed"
    assert (
        row["error_message"]
        == '"scheduled_for" is no time that can be kept. Choose a time in the years 1900 to 9999.'
    )


TOO_LARGE: dict[str, tuple[Row, str]] = {
    "values": ({"message_data": Jsonb({"thing": "x" * 100_000})}, "too l"),
    "many values": (
        {"message_data": Jsonb({"thing": "x", **{f"v{n}": "y" * 100 for n in range(5000)}})},
        "too large",
    ),
    "deep values": ({"message_data": '{"thing": ' + "[" * 500 + "]" * 500 + "}"}, "too large"),
    "a name": ({"recipient_name": "x" * 100_000}, "too long"),
    "a template's name": ({"template": "x" * 1_000_000}, "no active template"),
}


@pytest.mark.parametrize(("columns", "words"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_notification_that_is_too_large_fails_in_words(
    db: Db, org: Organisation, notify: Any, columns: Row, words: str
) -> None:
    given = {"recipient_name": "Asha", "template": "ready"} | columns
    made = db.insert(
        "public.notification_queue",
        organization_id=org.id,
        type="whatsapp",
        recipient_phone="+491701234567",
        **({"message_data": Jsonb({"thing": "Your pot"})} | given),
    )
    row = db.row("select status, error_message from public.notification_queue where id = %s", made)
    assert row["status"] == "failed"
    assert words in row["error_message"]
    assert len(row["error_message"]) <= 1000
    assert notify()["status"] == "pending", "the next one goes"


STATUS: LiteralString = "select automation_status -> 'whatsapp' ->> 'why_not' from public.workshops where id = %s"


@pytest.mark.parametrize("moment", OUT_OF_TIME)
def test_a_workshop_with_no_possible_date_says_so_and_heals(db: Db, workshops: Workshops, moment: str) -> None:
    without_rules(db, "workshops")
    workshop = workshops.add()
    db.run("update public.workshops set starts_at = %s where id = %s", moment, workshop)
    assert db.value(STATUS, workshop) == (
        "The workshop's date can't be right: it lies outside the years 1900 to 9999. Correct it."
    )
    assert workshops.messages(workshop) == {}
    db.run("update public.workshops set starts_at = %s where id = %s", START + timedelta(days=1), workshop)
    assert workshops.messages(workshop)


def test_a_workshop_with_a_title_without_end_is_written_and_says_what_is_wrong(
    db: Db, workshops: Workshops
) -> None:
    without_rules(db, "workshops")
    workshop = workshops.add(title="Raku " * 200_000)
    problem = db.value(
        "select automation_status -> 'whatsapp' ->> 'problem' from public.workshops where id = %s", workshop
    )
    assert "65,536" in problem
    assert len(problem) < 2000
