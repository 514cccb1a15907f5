"""A workshop linked to a group has its messages scheduled; unlinked or deleted it has none left."""

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import DENIED, Db, Organisation, Run
from tests.kit.workshops import START, TEN_DAYS_BEFORE, Workshops, utc

#: Saturday, 15 June 2030, 19:00 in Berlin.
PLANNED = {
    "morning": utc("2030-06-15T06:00"),
    "6hr_before": utc("2030-06-15T11:00"),
    "1hr_before": utc("2030-06-15T16:00"),
    "we_are_live": utc("2030-06-15T17:00"),
    "thank_you": utc("2030-06-15T20:00"),
}
KINDS = set(PLANNED)
LATE = {"morning": 240, "6hr_before": 180, "1hr_before": 45, "we_are_live": 30, "thank_you": 1440}


def test_a_workshop_made_with_a_group_has_its_messages(workshops: Workshops) -> None:
    workshop = workshops.add()
    messages = workshops.messages(workshop)
    assert {kind: row["scheduled_for"] for kind, row in messages.items()} == PLANNED
    for kind, row in messages.items():
        assert row["expires_at"] - row["scheduled_for"] == timedelta(minutes=LATE[kind])
        assert (row["session_id"], row["group_id"]) == (workshops.org.session, workshops.org.group)
        assert row["idempotency_key"] == f"workshop:{workshop}:{kind}:1"
    assert workshops.texts(workshop)["morning"] == "Good morning! Raku is today at 19:00."


def test_a_workshop_that_is_linked_later_has_them_too(workshops: Workshops) -> None:
    workshop = workshops.add(whatsapp_group_id=None)
    assert workshops.messages(workshop, None) == {}
    workshops.update(workshop, whatsapp_group_id=workshops.org.group)
    assert workshops.times(workshop) == PLANNED


def test_all_placeholders_that_herald_fills(workshops: Workshops) -> None:
    workshops.template("morning", "{{title}}|{{date}}|{{time}}|{{timezone}}|{{organization}}")
    workshop = workshops.add()
    assert workshops.texts(workshop)["morning"] == "Raku|Saturday, 15 June 2030|19:00|Europe/Berlin|Pottery"


def test_the_adapters_values_go_before_heralds(workshops: Workshops) -> None:
    workshops.db.run(
        "create or replace function herald.workshop_variables(p_workshop uuid) returns jsonb language sql stable"
        """ as $$ select '{"trainer": "Asha", "title": "RAKU", "date": null}'::jsonb $$"""
    )
    workshops.template("morning", "{{title}} with {{trainer}} on {{date}}")
    assert workshops.texts(workshops.add())["morning"] == "RAKU with Asha on Saturday, 15 June 2030"


def test_unlinking_cancels_and_says_why(workshops: Workshops) -> None:
    workshop = workshops.add()
    workshops.update(workshop, whatsapp_group_id=None)
    cancelled = workshops.messages(workshop, "cancelled")
    assert set(cancelled) == KINDS
    assert {(row["error_code"], row["error_message"]) for row in cancelled.values()} == {
        ("withdrawn", "The workshop was unlinked from its group.")
    }
    assert "linked_at" not in workshops.told(workshop)


def test_linking_again_makes_new_ones(workshops: Workshops) -> None:
    workshop = workshops.add()
    workshops.update(workshop, whatsapp_group_id=None)
    workshops.update(workshop, whatsapp_group_id=workshops.org.group)
    again = workshops.messages(workshop)
    assert {row["idempotency_key"] for row in again.values()} == {f"workshop:{workshop}:{k}:2" for k in KINDS}
    assert workshops.told(workshop)["generation"] == 2


def test_another_group_gets_new_ones_and_the_former_none(workshops: Workshops) -> None:
    session = workshops.org.add_session()
    other = workshops.org.add_group(session)
    workshop = workshops.add()
    former = {row["id"] for row in workshops.messages(workshop).values()}
    workshops.update(workshop, whatsapp_group_id=other)
    assert {row["id"] for row in workshops.messages(workshop, "cancelled").values()} == former
    messages = workshops.messages(workshop)
    assert set(messages) == KINDS
    assert {(row["group_id"], row["session_id"]) for row in messages.values()} == {(other, session)}


@pytest.mark.parametrize("status", ["sending", "sent", "read", "failed", "cancelled", "in_doubt"])
def test_what_is_no_longer_pending_stays_and_is_not_made_again(workshops: Workshops, status: str) -> None:
    workshop = workshops.add()
    morning = workshops.messages(workshop)["morning"]
    if status == "cancelled":
        with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
            workshops.db.run(
                "update public.scheduled_whatsapp_messages set status = 'cancelled' where id = %s", morning["id"]
            )
    else:
        workshops.settle(morning["id"], status)
    workshops.update(workshop, starts_at=START + timedelta(days=3), title="Raku II")
    after = workshops.org.message(morning["id"])
    assert (after["status"], after["scheduled_for"]) == (status, PLANNED["morning"])
    assert after["message_content"] == morning["message_content"]
    assert set(workshops.times(workshop)) == KINDS - {"morning"}


def test_what_comes_back_to_the_queue_has_not_missed_a_move(workshops: Workshops) -> None:
    workshop = workshops.add()
    morning = workshops.messages(workshop)["morning"]["id"]
    workshops.settle(morning, "sending")
    workshops.update(workshop, starts_at=START + timedelta(days=3), title="Raku II")
    workshops.db.run("update public.scheduled_whatsapp_messages set status = 'pending' where id = %s", morning)
    after = workshops.messages(workshop)["morning"]
    assert after["scheduled_for"] == PLANNED["morning"] + timedelta(days=3)
    assert after["message_content"] == "Good morning! Raku II is today at 19:00."


@pytest.mark.parametrize("how", ["unlinked", "deleted", "switched off", "no longer in the schedule"])
def test_what_comes_back_to_the_queue_unwanted_is_not_sent(workshops: Workshops, how: str) -> None:
    workshop = workshops.add()
    workshops.at(PLANNED["morning"])
    run = Run(workshops.db).connect(workshops.org.session, lease=600)
    claim = run.claim_one()
    match how:
        case "unlinked":
            workshops.update(workshop, whatsapp_group_id=None)
        case "deleted":
            workshops.db.run("delete from public.workshops where id = %s", workshop)
        case "switched off":
            workshops.configure(auto_schedule_messages=False)
        case _:
            workshops.configure(message_schedule={"thank_you": {"offset": "3 hours"}})
    assert run.settle(claim, "unavailable") == 1
    workshops.db.pass_time(60)
    assert run.claim() == []
    workshops.db.call("whatsapp_reap")
    assert workshops.org.status(claim["message_id"]) in ("cancelled", "failed")


def test_what_comes_back_wanted_again_is_sent(workshops: Workshops) -> None:
    workshops.add()
    workshops.at(PLANNED["morning"])
    run = Run(workshops.db).connect(workshops.org.session, lease=600)
    claim = run.claim_one()
    for switch in (False, True):
        workshops.configure(auto_schedule_messages=switch)
    assert run.settle(claim, "unavailable") == 1
    workshops.db.pass_time(60)
    assert [again["message_id"] for again in run.claim()] == [claim["message_id"]]


def test_what_is_too_late_when_linked_is_not_made_and_the_workshop_says_so(workshops: Workshops) -> None:
    workshops.at(PLANNED["morning"] + timedelta(hours=4))
    workshop = workshops.add()
    assert set(workshops.times(workshop)) == KINDS - {"morning"}
    assert workshops.why_not(workshop, "morning") == "It would be too late: its time was 2030-06-15T06:00:00Z."
    assert workshops.alerts() == []


def test_what_is_late_but_not_too_late_goes_now(workshops: Workshops) -> None:
    workshops.at(PLANNED["morning"] + timedelta(hours=3, minutes=59))
    workshop = workshops.add()
    morning = workshops.messages(workshop)["morning"]
    assert morning["scheduled_for"] < workshops.db.now() < morning["expires_at"]


def test_automation_status_says_what_is_scheduled_beside_the_crms_own_keys(workshops: Workshops) -> None:
    workshop = workshops.add(automation_status=Jsonb({"by": "hand"}))
    messages = workshops.messages(workshop)
    status = workshops.db.value("select automation_status from public.workshops where id = %s", workshop)
    assert status["by"] == "hand"
    told = status["whatsapp"]
    assert {kind: entry["scheduled_for"] for kind, entry in told["messages"].items()} == {
        kind: instant.strftime("%Y-%m-%dT%H:%M:%SZ") for kind, instant in PLANNED.items()
    }
    assert {kind: entry["message_id"] for kind, entry in told["messages"].items()} == {
        kind: str(row["id"]) for kind, row in messages.items()
    }
    assert (told["generation"], told["timezone"]) == (1, "Europe/Berlin")
    assert utc(told["linked_at"].removesuffix("Z")) == TEN_DAYS_BEFORE.replace(microsecond=0)


@pytest.mark.parametrize("status", [["a list"], "a text", 7])
def test_a_status_of_another_shape_is_the_crms(workshops: Workshops, status: object) -> None:
    workshop = workshops.add(automation_status=Jsonb(status))
    assert workshops.times(workshop) == PLANNED
    found = workshops.db.value("select automation_status from public.workshops where id = %s", workshop)
    assert found == status


def test_a_deleted_workshop_has_nothing_left_to_send(workshops: Workshops) -> None:
    workshop, kept = workshops.add(), workshops.add()
    ids = [row["id"] for row in workshops.messages(workshop).values()]
    by_hand = workshops.org.schedule(workshop_id=workshop, scheduled_for=START)
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        workshops.db.run("delete from public.workshops where id = %s", workshop)
    left = [workshops.org.message(message) for message in [*ids, by_hand]]
    assert {(row["status"], row["workshop_id"], row["error_message"]) for row in left} == {
        ("cancelled", None, "Its workshop was deleted.")
    }
    assert set(workshops.times(kept)) == KINDS


def test_a_deleted_organisation_takes_all_along(workshops: Workshops) -> None:
    workshops.add()
    workshops.db.run("delete from public.organizations where id = %s", workshops.org.id)
    assert (
        workshops.db.rows("select 1 from herald.workshop_links where organization_id = %s", workshops.org.id) == []
    )


def test_a_group_with_messages_stays_and_one_without_unlinks(workshops: Workshops) -> None:
    workshop = workshops.add()
    refusal = pytest.raises(psycopg.errors.ForeignKeyViolation, match="This group has messages")
    with refusal, workshops.db.connection.transaction():
        workshops.db.run("delete from public.whatsapp_groups where id = %s", workshops.org.group)
    empty = workshops.org.add_group(workshops.org.session)
    workshops.configure(auto_schedule_messages=False)
    workshops.update(workshop, whatsapp_group_id=empty)
    workshops.db.run("delete from public.whatsapp_groups where id = %s", empty)
    assert "linked_at" not in workshops.told(workshop)


def test_a_workshop_does_not_move_to_another_organisation(workshops: Workshops) -> None:
    workshop, other = workshops.add(whatsapp_group_id=None), Organisation(workshops.db)
    with pytest.raises(psycopg.errors.CheckViolation, match="can't move to another organisation"):
        workshops.db.run("update public.workshops set organization_id = %s where id = %s", *(other.id, workshop))


def test_a_workshop_of_before_herald_is_left_alone_until_it_is_linked(workshops: Workshops) -> None:
    db = workshops.db
    db.run("alter table public.workshops disable trigger whatsapp_workshop_changed")
    workshop = workshops.add(whatsapp_group_id=None)
    db.run("alter table public.workshops enable trigger whatsapp_workshop_changed")
    workshops.update(workshop, title="Raku II")
    assert db.rows("select 1 from public.whatsapp_automation_tasks where workshop_id = %s", workshop) == []
    workshops.update(workshop, whatsapp_group_id=workshops.org.group)
    assert workshops.times(workshop) == PLANNED


@pytest.mark.parametrize(("role", "person"), [("authenticated", "member"), ("anon", None)])
def test_only_who_may_write_the_workshop_sets_the_schedule_off(
    workshops: Workshops, role: str, person: str | None
) -> None:
    db, workshop = workshops.db, workshops.add(whatsapp_group_id=None)
    user = workshops.org.people[person] if person else None
    with db.speaking_as(role, user):
        refusal = db.refusal("update public.workshops set whatsapp_group_id = %s", workshops.org.group)
        assert refusal == (DENIED if role == "anon" else None), "a member's update meets no row"
        if person:
            db.run("update public.workshops set whatsapp_group_id = %s", workshops.org.group)
    assert workshops.messages(workshop, None) == {}


def test_the_server_sets_it_off_as_an_admin_does(workshops: Workshops) -> None:
    workshop = workshops.add(whatsapp_group_id=None)
    with workshops.db.speaking_as("service_role"):
        workshops.db.run(
            "update public.workshops set whatsapp_group_id = %s where id = %s", *(workshops.org.group, workshop)
        )
    assert workshops.times(workshop) == PLANNED


def test_nobody_calls_the_schedules_functions_by_themselves(workshops: Workshops) -> None:
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        assert workshops.db.refusal("select herald.sync_workshop(%s)", uuid4()) == DENIED
        assert workshops.db.refusal("select 1 from herald.workshop_links") == DENIED


# == which workshop a group is for ==


def shown(workshops: Workshops, hours: float) -> UUID:
    """The group's workshop so many hours after START."""
    workshops.at(START + timedelta(hours=hours))
    workshops.db.value("select herald.refresh_group_workshops()")
    found = workshops.group_workshop()
    assert isinstance(found, UUID)
    return found


def test_a_group_shows_the_current_workshop_then_the_next_then_the_last(workshops: Workshops) -> None:
    assert workshops.group_workshop() is None
    second = workshops.add(starts_at=START + timedelta(hours=8))
    assert workshops.group_workshop() == second
    first = workshops.add()
    assert workshops.group_workshop() == first, "the next one"
    assert [shown(workshops, hours) for hours in (0, 5.9, 6, 8, 14, 1000)] == [first, first, *[second] * 4]
    workshops.at(START)
    workshops.update(first, starts_at=START + timedelta(hours=9))
    assert workshops.group_workshop() == second, "it was moved behind the other"
    workshops.update(second, whatsapp_group_id=None)
    assert workshops.group_workshop() == first
    workshops.db.run("delete from public.workshops where id = %s", first)
    assert workshops.group_workshop() is None


def test_a_refresh_writes_only_what_changes(workshops: Workshops) -> None:
    workshops.add()
    workshops.add(starts_at=START + timedelta(hours=8))
    workshops.at(START + timedelta(hours=7))
    refresh = "select herald.refresh_group_workshops()"
    assert [workshops.db.value(refresh), workshops.db.value(refresh)] == [1, 0]


def test_what_came_back_while_its_workshop_was_being_changed_is_brought_up_to_date(db: Db) -> None:
    workshops = Workshops(db, Organisation(db))
    workshop = workshops.add()
    morning = workshops.messages(workshop)["morning"]["id"]
    workshops.settle(morning, "sending")
    workshops.update(workshop, starts_at=START + timedelta(days=3))
    db.run("alter table public.scheduled_whatsapp_messages disable trigger workshop_message_returned")
    db.run("update public.scheduled_whatsapp_messages set status = 'pending' where id = %s", morning)
    assert workshops.times(workshop)["morning"] == PLANNED["morning"]
    db.value("select herald.refresh_group_workshops()")
    assert workshops.times(workshop)["morning"] == PLANNED["morning"] + timedelta(days=3)
