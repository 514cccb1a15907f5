"""A message each for the people of a list: once, whatever the list says, and told what became of each."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import DENIED, Db, Organisation, Row
from tests.kit.holds import configure, contact

HINA, OMAR, ASHA = "+491701111111", "+491702222222", "+491703333333"


@pytest.fixture
def event(db: Db, org: Organisation) -> UUID:
    db.insert(
        "public.whatsapp_message_templates",
        organization_id=org.id,
        name="moved",
        content="{{name}}: now in {{room}}",
    )
    return db.insert(
        "public.workshops", organization_id=org.id, title="Glazing", starts_at=db.now() + timedelta(days=9)
    )


def queue(db: Db, org: Organisation, event: UUID, recipients: Any, person: str = "admin", **arguments: Any) -> Row:
    """Ask as a person of the organisation, for the template "moved" in room 2 unless told otherwise."""
    asked = {"p_template": "moved", "p_variables": {"name": "you", "room": "2"}} | arguments
    if isinstance(asked["p_variables"], dict | list):
        asked["p_variables"] = Jsonb(asked["p_variables"])
    with db.speaking_as("authenticated", org.people[person]):
        answer: Row = db.call("whatsapp_queue_recipients", p_event=event, p_recipients=Jsonb(recipients), **asked)
    return answer


def statuses(answer: Row) -> list[str]:
    assert [result["index"] for result in answer["results"]] == list(range(len(answer["results"])))
    counted = {name: many for name, many in answer.items() if name != "results" and many}
    assert counted == Counter(result["status"] for result in answer["results"])
    return [result["status"] for result in answer["results"]]


def messages(db: Db, org: Organisation) -> list[Row]:
    return db.rows(
        "select * from public.scheduled_whatsapp_messages where organization_id = %s order by recipient_phone",
        org.id,
    )


def refusal(db: Db, org: Organisation, *arguments: Any, **named: Any) -> tuple[str | None, str]:
    with pytest.raises(psycopg.Error) as refused, db.connection.transaction():
        queue(db, org, *arguments, **named)
    return refused.value.sqlstate, str(refused.value)


def test_each_recipient_gets_a_message_of_the_event(db: Db, org: Organisation, event: UUID) -> None:
    later = db.now() + timedelta(hours=2)
    answer = queue(
        db,
        org,
        event,
        [HINA, {"phone": OMAR, "name": "Omar", "variables": {"name": "Omar"}}],
        p_scheduled_for=later,
    )
    assert statuses(answer) == ["queued", "queued"]
    rows = messages(db, org)
    assert [row["message_content"] for row in rows] == ["you: now in 2", "Omar: now in 2"]
    assert [str(row["id"]) for row in rows] == [result["message_id"] for result in answer["results"]]
    for row in rows:
        assert (row["workshop_id"], row["message_type"], row["status"]) == (event, "moved", "pending")
        assert (row["scheduled_for"], row["sent_by"]) == (later, org.people["admin"])


@pytest.mark.parametrize(
    "written", ["+49 170 111-1111", "0049 (170) 1111111", "+49.170/1111111", " +491701111111 "]
)
def test_a_phone_may_be_written_with_what_people_put_between(
    db: Db, org: Organisation, event: UUID, written: str
) -> None:
    assert statuses(queue(db, org, event, [written])) == ["queued"]
    assert messages(db, org)[0]["recipient_phone"] == HINA


def test_a_person_gets_one_message_however_often_they_are_named(db: Db, org: Organisation, event: UUID) -> None:
    person = contact(org, HINA, display_name="Hina")
    without_phone = contact(org, lid="77@lid", phone=None)  # type: ignore[arg-type]
    named = [HINA, {"contactId": str(person)}, "0049 170 1111111", {"contactId": str(without_phone)}]
    assert statuses(queue(db, org, event, named)) == ["queued", "duplicate", "duplicate", "queued"]
    assert len(messages(db, org)) == 2


def test_the_same_call_again_queues_nothing_and_other_words_do(db: Db, org: Organisation, event: UUID) -> None:
    first = queue(db, org, event, [HINA, OMAR])
    again = queue(db, org, event, [OMAR, ASHA, HINA])
    assert statuses(again) == ["already_queued", "queued", "already_queued"]
    assert again["results"][2]["message_id"] == first["results"][0]["message_id"]
    moved_again = {"name": "you", "room": "3"}
    assert statuses(queue(db, org, event, [HINA], p_variables=moved_again)) == ["queued"]
    assert statuses(queue(db, org, event, [{"phone": HINA, "variables": {"room": "4"}}])) == ["queued"]
    assert statuses(queue(db, org, event, [{"phone": HINA, "variables": {"room": "4"}}])) == ["already_queued"]
    later = db.now() + timedelta(hours=1)
    assert statuses(queue(db, org, event, [HINA], p_scheduled_for=later)) == ["queued"]
    other = db.insert("public.workshops", organization_id=org.id, title="Firing", starts_at=later)
    assert statuses(queue(db, org, other, [HINA])) == ["queued"]


def test_under_a_key_each_person_gets_one_message_whatever_else_changes(
    db: Db, org: Organisation, event: UUID
) -> None:
    assert statuses(queue(db, org, event, [HINA], p_key="k1")) == ["queued"]
    changed = queue(
        db,
        org,
        event,
        [{"phone": HINA, "variables": {"room": "9"}}, OMAR],
        p_key="k1",
        p_variables={"name": "x", "room": "5"},
    )
    assert statuses(changed) == ["already_queued", "queued"]
    assert statuses(queue(db, org, event, [HINA], p_key="k2")) == ["queued"]


def test_one_recipients_mistake_fails_that_one_only(db: Db, org: Organisation, event: UUID) -> None:
    other = Organisation(db)
    foreign = other.db.insert("public.whatsapp_contacts", organization_id=other.id, phone=ASHA)
    named = [
        HINA,
        "0170 1111111",
        "",
        7,
        None,
        {},
        {"phone": OMAR, "contactId": str(uuid4())},
        {"contactId": str(foreign)},
        {"contactId": "1 or true"},
        {"phone": OMAR, "variables": [1]},
        {"phone": OMAR, "name": "x" * 201},
        {"phone": OMAR, "variables": {"room": None}},
        ASHA,
    ]
    answer = queue(db, org, event, named)
    assert statuses(answer) == ["queued", *["failed"] * 11, "queued"]
    codes = [result.get("code") for result in answer["results"]]
    assert codes == [
        None,
        *["invalid-phone"] * 2,
        *["invalid-recipient"] * 4,
        *["unknown-contact"] * 2,
        *["invalid-recipient"] * 2,
        "refused",
        None,
    ]
    assert "needs a value for room" in answer["results"][11]["detail"]
    assert all(result.get("detail") for result in answer["results"] if result["status"] == "failed")
    assert [row["recipient_phone"] for row in messages(db, org)] == [HINA, ASHA]


def test_who_has_opted_out_is_told_and_not_written_to(db: Db, org: Organisation, event: UUID) -> None:
    contact(org, HINA, opted_out_at=db.now())
    answer = queue(db, org, event, [HINA, OMAR])
    assert statuses(answer) == ["suppressed", "queued"]
    assert (answer["results"][0]["code"], "opted out" in answer["results"][0]["detail"]) == ("suppressed", True)
    assert [row["status"] for row in messages(db, org)] == ["failed", "pending"]


def test_who_has_not_opted_in_is_told_where_that_is_required(db: Db, org: Organisation, event: UUID) -> None:
    configure(org, require_opt_in=True)
    assert statuses(queue(db, org, event, [HINA])) == ["suppressed"]


def test_an_organisation_without_an_account_is_told_for_each(db: Db, org: Organisation, event: UUID) -> None:
    db.run("update public.whatsapp_sessions set enabled = false where organization_id = %s", org.id)
    db.run("delete from public.whatsapp_groups where organization_id = %s", org.id)
    db.run("delete from public.whatsapp_sessions where organization_id = %s", org.id)
    answer = queue(db, org, event, [HINA, OMAR])
    assert statuses(answer) == ["failed", "failed"]
    assert "no WhatsApp account" in answer["results"][0]["detail"]
    assert "Link an account" in answer["results"][0]["hint"]


def test_only_admins_of_the_events_organisation_may(db: Db, org: Organisation, event: UUID) -> None:
    other = Organisation(db)
    for who, person in ((org, "member"), (other, "admin"), (other, "owner"), (other, "member")):
        assert refusal(db, who, event, [HINA], person=person)[0] == DENIED
    assert refusal(db, org, uuid4(), [HINA])[0] == DENIED
    for person in ("owner", "super_admin"):
        assert statuses(queue(db, org, event, [HINA], person=person, p_key=person)) == ["queued"]
    assert messages(db, other) == []


def test_another_organisations_template_is_not_to_be_had(db: Db, org: Organisation, event: UUID) -> None:
    other = Organisation(db)
    db.insert("public.whatsapp_message_templates", organization_id=other.id, name="theirs", content="secret")
    assert refusal(db, org, event, [HINA], p_template="theirs")[0] == "22023"
    assert statuses(queue(db, org, event, [HINA], p_template="we_are_live")) == ["queued"]  # a system one


@pytest.mark.parametrize(
    ("recipients", "arguments", "words"),
    [
        ([], {}, "1 to 500"),
        (["+491701111111"] * 501, {}, "1 to 500"),
        ({"phone": HINA}, {}, "1 to 500"),
        ([HINA], {"p_variables": [1]}, "object of values"),
        ([HINA], {"p_template": "nothing"}, "no active template"),
        ([HINA], {"p_template": None}, "no active template"),
        ([HINA], {"p_scheduled_for": "2020-01-01T00:00:00Z"}, "in the past"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_as_a_whole(
    db: Db, org: Organisation, event: UUID, recipients: Any, arguments: dict[str, Any], words: str
) -> None:
    code, said = refusal(db, org, event, recipients, **arguments)
    assert (code, words in said) == ("22023", True), said


@pytest.mark.parametrize("spoilt", [False, True], ids=["all right", "one without a value"])
def test_five_hundred_are_queued_within_a_persons_statement(
    db: Db, org: Organisation, event: UUID, spoilt: bool
) -> None:
    named: list[Any] = [{"phone": f"+49170{n:07d}", "variables": {"name": f"N{n}"}} for n in range(500)]
    if spoilt:
        named[250]["variables"] = {"name": None}
    db.run("set local statement_timeout = '8s'")  # what a person's statement has
    answer = queue(db, org, event, named)
    assert (answer["queued"], answer["failed"]) == (500 - spoilt, int(spoilt))
