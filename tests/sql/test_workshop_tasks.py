"""A workshop's tasks: made by rule, moved with it, taken back with its date."""

from datetime import timedelta

from tests.kit.automation_tasks import PLANNED, pending, queued, set_status, task, tasks
from tests.kit.database import Row
from tests.kit.workshops import START, TEN_DAYS_BEFORE, Workshops, utc


def test_a_workshop_gets_its_tasks_with_or_without_a_group(workshops: Workshops) -> None:
    for group in (workshops.org.group, None):
        found = tasks(workshops, workshops.add(whatsapp_group_id=group))
        assert {rule: (row["task_type"], row["scheduled_for"]) for rule, row in found.items()} == PLANNED
        assert {row["status"] for row in found.values()} == {"pending"}


def test_an_early_workshop_is_prepared_two_hours_before(workshops: Workshops) -> None:
    found = tasks(workshops, workshops.add(starts_at=utc("2030-06-15T07:00")))
    assert found["day_of"]["scheduled_for"] == utc("2030-06-15T05:00")


def test_no_task_whose_time_is_past_and_none_while_switched_off(workshops: Workshops) -> None:
    workshops.at(START - timedelta(days=3))
    assert set(tasks(workshops, workshops.add())) == {"1_day", "day_of"}
    workshops.configure(auto_schedule_messages=False)
    workshop = workshops.add()
    assert tasks(workshops, workshop) == {}
    workshops.configure(auto_schedule_messages=True)
    assert set(pending(workshops, workshop)) == {"1_day", "day_of"}


def test_tasks_move_with_the_workshop_and_its_zone(workshops: Workshops) -> None:
    workshop = workshops.add()
    workshops.update(workshop, starts_at=START + timedelta(days=1))
    assert pending(workshops, workshop) == {rule: at + timedelta(days=1) for rule, (_, at) in PLANNED.items()}
    workshops.update(workshop, starts_at=START, timezone="Asia/Kolkata")
    assert pending(workshops, workshop)["day_of"] == utc("2030-06-15T02:30")


def test_a_task_whose_time_passes_by_a_move_is_taken_back_and_returns_with_another_move(
    workshops: Workshops,
) -> None:
    workshop = workshops.add()
    workshops.update(workshop, starts_at=TEN_DAYS_BEFORE + timedelta(days=2))
    assert set(pending(workshops, workshop)) == {"1_day", "day_of"}
    assert tasks(workshops, workshop)["7_days"]["error_message"] == "Its time had passed."
    workshops.update(workshop, starts_at=START)
    assert pending(workshops, workshop) == {rule: at for rule, (_, at) in PLANNED.items()}


def test_switched_off_and_on_tasks_go_and_come_but_not_a_persons(workshops: Workshops) -> None:
    workshop = workshops.add()
    set_status(workshops, tasks(workshops, workshop)["7_days"]["id"], "cancelled")
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        workshops.db.run(
            "delete from public.whatsapp_automation_tasks where id = %s",
            tasks(workshops, workshop)["day_of"]["id"],
        )
        workshops.db.run(
            "insert into public.whatsapp_automation_tasks (organization_id, workshop_id, task_type, scheduled_for)"
            " values (%s, %s, 'send_update', %s)",
            *(workshops.org.id, workshop, START),
        )
    workshops.configure(auto_schedule_messages=False)
    assert set(pending(workshops, workshop)) == {None}, "a person's own task stays"
    workshops.configure(auto_schedule_messages=True)
    assert set(pending(workshops, workshop)) == {None, "1_day"}


def test_a_time_that_a_person_sets_stays_until_the_workshop_moves(workshops: Workshops, reminder: Row) -> None:
    noon = utc("2030-06-14T10:00")
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        workshops.db.run(
            "update public.whatsapp_automation_tasks set scheduled_for = %s where id = %s", *(noon, reminder["id"])
        )
    workshops.update(reminder["workshop_id"], title="Raku II")
    assert task(workshops, reminder["id"])["scheduled_for"] == noon
    workshops.update(reminder["workshop_id"], starts_at=START + timedelta(days=1))
    assert task(workshops, reminder["id"])["scheduled_for"] == PLANNED["1_day"][1] + timedelta(days=1)


def test_a_workshop_that_loses_its_date_takes_tasks_and_their_messages_along(
    workshops: Workshops, reminder: Row
) -> None:
    db, workshop = workshops.db, reminder["workshop_id"]
    set_status(workshops, reminder["id"], "executing")
    db.run("alter table public.workshops alter column starts_at drop not null")
    workshops.update(workshop, starts_at=None)
    assert pending(workshops, workshop) == {}
    assert {row["status"] for row in queued(workshops, reminder["id"]).values()} == {"cancelled"}


def test_what_a_task_has_queued_and_still_waits_tells_the_new_time(workshops: Workshops, reminder: Row) -> None:
    set_status(workshops, reminder["id"], "executing")
    workshops.update(reminder["workshop_id"], starts_at=START + timedelta(days=1, hours=1))
    message = queued(workshops, reminder["id"])["+491701111111"]
    assert message["message_content"].startswith("Hi Mira, Raku is tomorrow, Sunday, 16 June 2030 at 20:00.")
    assert message["expires_at"] == START + timedelta(days=1, hours=1)
