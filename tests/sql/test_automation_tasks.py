"""A task is executed: one message for each attendee, once; and the steps that it may take."""

from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest
from psycopg.types.json import Jsonb

from localstack.client import Stack
from tests.kit.automation_tasks import PLANNED, SET_STATUS, attend, queued, set_status, task, tasks
from tests.kit.database import DENIED, Db, Organisation, Row
from tests.kit.workshops import START, Workshops

STATUSES = ("pending", "executing", "done", "failed", "cancelled")
BY_PERSON = {("pending", "executing"), ("pending", "cancelled"), ("failed", "pending")}
BY_RULE = BY_PERSON | {
    ("pending", "failed"),
    ("cancelled", "pending"),
    ("executing", "done"),
    ("executing", "failed"),
}


def test_executing_queues_one_message_for_each_attendee(workshops: Workshops, reminder: Row) -> None:
    seen = set_status(workshops, reminder["id"], "executing")
    assert (seen["status"], seen["queued_count"], seen["error_message"]) == ("done", 2, None)
    messages = queued(workshops, reminder["id"])
    assert {phone: row["message_content"].split(",")[0] for phone, row in messages.items()} == {
        "+491701111111": "Hi Mira",
        "+491702222222": "Hi there",
    }
    for phone, row in messages.items():
        assert row["idempotency_key"] == f"task:{reminder['id']}:{phone}"
        assert (row["status"], row["message_type"]) == ("pending", "send_reminder")
        assert (row["workshop_id"], row["session_id"]) == (reminder["workshop_id"], workshops.org.session)
        assert (row["scheduled_for"], row["expires_at"]) == (workshops.db.now(), START)


def test_the_filter_chooses_by_attributes(workshops: Workshops, reminder: Row) -> None:
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        workshops.db.run(
            "update public.whatsapp_automation_tasks set recipient_filter = %s where id = %s",
            *(Jsonb({"ticket": "vip", "status": "registered"}), reminder["id"]),
        )
    set_status(workshops, reminder["id"], "executing")
    assert set(queued(workshops, reminder["id"])) == {"+491701111111"}


def test_news_after_the_start_may_take_a_day(workshops: Workshops, reminder: Row) -> None:
    workshops.at(START + timedelta(hours=2))
    set_status(workshops, reminder["id"], "executing")
    (expiry,) = {row["expires_at"] for row in queued(workshops, reminder["id"]).values()}
    assert expiry == START + timedelta(hours=26)


def test_bad_phones_and_opted_out_people_are_counted_not_fatal(workshops: Workshops, reminder: Row) -> None:
    db = workshops.db
    attendees = "select * from (values ('0170 123', 'Ken'), (null, 'Ann'), ('+491701111111', 'Mira'),"
    db.connection.execute(
        "create or replace function herald.workshop_attendees(p_workshop uuid)"
        " returns table (phone text, name text, attributes jsonb) language sql stable as"
        f" $$ select a.phone, a.name, null::jsonb from ({attendees} ('+491701111111', 'Mira again'),"
        " ('+491709999999', 'Out')) as v (phone, name)) as a $$"
    )
    db.insert(
        "public.whatsapp_contacts", organization_id=workshops.org.id, phone="+491709999999", opted_out_at=db.now()
    )
    seen = set_status(workshops, reminder["id"], "executing")
    assert (seen["status"], seen["queued_count"]) == ("done", 1)
    assert seen["metadata"] == {"bad_phones": 2, "suppressed": 1}
    assert {phone: row["status"] for phone, row in queued(workshops, reminder["id"]).items()} == {
        "+491701111111": "pending",
        "+491709999999": "failed",
    }


def no_attendee(workshops: Workshops) -> None:
    workshops.db.run("delete from public.workshop_attendees")


def no_account(workshops: Workshops) -> None:
    workshops.db.run("update public.whatsapp_sessions set enabled = false")


def no_template(workshops: Workshops) -> None:
    workshops.db.run("update public.whatsapp_message_templates set is_active = false")


def no_value(workshops: Workshops) -> None:
    workshops.template("event_reminder_24h", "Hi {{nickname}}")


def a_fault(workshops: Workshops) -> None:
    workshops.db.connection.execute(
        "create function public.refuse() returns trigger language plpgsql as"
        " $$ begin raise exception 'disk full'; end $$;"
        "create trigger refuse before insert on public.scheduled_whatsapp_messages"
        " for each row execute function public.refuse()"
    )


@pytest.mark.parametrize(
    ("obstacle", "why"),
    [
        (no_attendee, "No attendee matches."),
        (no_account, "No WhatsApp account is enabled. Link one, then try again."),
        (no_template, 'There is no active template "event_reminder_24h".'),
        (no_value, 'Template "event_reminder_24h" asks for {{nickname}}, for which there is no value.'),
        (a_fault, "disk full"),
    ],
)
def test_what_cannot_be_executed_fails_and_says_why(
    workshops: Workshops, reminder: Row, obstacle: object, why: str
) -> None:
    assert callable(obstacle)
    obstacle(workshops)
    seen = set_status(workshops, reminder["id"], "executing")
    assert (seen["status"], seen["error_message"], seen["queued_count"]) == ("failed", why, 0)
    assert queued(workshops, reminder["id"]) == {}


def test_a_failed_task_is_tried_again_and_nobody_is_written_to_twice(workshops: Workshops, reminder: Row) -> None:
    no_account(workshops)
    workshops.at(START - timedelta(hours=1))
    assert set_status(workshops, reminder["id"], "executing")["status"] == "failed"
    workshops.db.run("update public.whatsapp_sessions set enabled = true")
    workshops.org.schedule(idempotency_key=f"task:{reminder['id']}:+491701111111")
    assert set_status(workshops, reminder["id"], "pending")["error_message"] is None
    assert workshops.db.value("select herald.run_due_tasks()") >= 1
    assert (task(workshops, reminder["id"])["status"], task(workshops, reminder["id"])["queued_count"]) == (
        "done",
        1,
    )


def test_due_tasks_run_by_themselves_and_what_is_a_day_late_fails(workshops: Workshops) -> None:
    workshop = workshops.add()
    attend(workshops, workshop, "+491701111111")
    workshops.at(PLANNED["1_day"][1] - timedelta(seconds=1))
    run: LiteralString = "select herald.run_due_tasks()"
    assert workshops.db.value(run) == 1
    assert {rule: row["status"] for rule, row in tasks(workshops, workshop).items()} == {
        "7_days": "failed",
        "1_day": "pending",
        "day_of": "pending",
    }
    assert tasks(workshops, workshop)["7_days"]["error_message"] == "Its time passed more than a day ago."
    workshops.at(PLANNED["1_day"][1])
    assert [workshops.db.value(run), workshops.db.value(run)] == [1, 0]
    assert tasks(workshops, workshop)["1_day"]["status"] == "done"


def test_at_most_a_hundred_a_call(workshops: Workshops) -> None:
    workshop = workshops.add()
    workshops.db.run(
        "insert into public.whatsapp_automation_tasks (organization_id, workshop_id, task_type, scheduled_for)"
        " select %s, %s, 'send_update', herald.clock() from generate_series(1, 150)",
        *(workshops.org.id, workshop),
    )
    assert [workshops.db.value("select herald.run_due_tasks()") for _ in range(3)] == [100, 50, 0]


def test_two_that_execute_at_once_queue_once(stack: Stack) -> None:
    """The second waits for the first, and finds the task done; the reaper doesn't wait."""
    with Db.connect(stack.database_url) as one, Db.connect(stack.database_url) as two:
        try:
            workshops = Workshops(one, Organisation(one))
            workshop = workshops.add()
            attend(workshops, workshop, "+491701111111")
            identity = tasks(workshops, workshop)["1_day"]["id"]
            one.connection.commit()
            workshops.at(workshops.db.now())  # begins a transaction, which then stays open
            set_status(workshops, identity, "executing")
            two.pass_time((workshops.db.now() - two.now() + timedelta(days=10)).total_seconds())
            assert two.value("select herald.run_due_tasks()") == 2, (
                "the other two, not the one that is being executed"
            )
            two.connection.rollback()
            two.run("set lock_timeout = '50ms'")
            assert two.refusal(SET_STATUS, "executing", identity) == "55P03", "it waits"
            one.connection.commit()
            assert two.refusal(SET_STATUS, "executing", identity) == "23514"
            assert len(queued(workshops, identity)) == 1
        finally:
            one.connection.rollback()
            one.run("delete from public.organizations where id = %s", workshops.org.id)
            one.connection.commit()


# == steps and people ==


@pytest.mark.parametrize("person", [True, False], ids=["admin", "server"])
@pytest.mark.parametrize(("old", "new"), [(o, n) for o in STATUSES for n in STATUSES if o != n])
def test_a_task_takes_legal_steps_only(
    workshops: Workshops, reminder: Row, old: str, new: str, person: bool
) -> None:
    db = workshops.db
    db.run("alter table public.whatsapp_automation_tasks disable trigger user")
    db.run(
        "update public.whatsapp_automation_tasks set status = %s, error_message = 'x' where id = %s",
        *(old, reminder["id"]),
    )
    db.run("alter table public.whatsapp_automation_tasks enable trigger user")
    role: LiteralString = "authenticated" if person else "service_role"
    with db.speaking_as(role, workshops.org.people["admin"]):
        refusal = db.refusal(SET_STATUS, new, reminder["id"])
    assert refusal == (None if (old, new) in (BY_PERSON if person else BY_RULE) else "23514")


def test_a_refused_step_says_what_to_do(workshops: Workshops, reminder: Row) -> None:
    set_status(workshops, reminder["id"], "cancelled")
    with pytest.raises(psycopg.errors.CheckViolation, match="A task that is cancelled can't become executing"):
        set_status(workshops, reminder["id"], "executing")


def test_a_person_edits_what_waits_only(workshops: Workshops, reminder: Row) -> None:
    edit: LiteralString = (
        "update public.whatsapp_automation_tasks set recipient_filter = '{\"a\": 1}' where id = %s"
    )
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        assert workshops.db.refusal(edit, reminder["id"]) is None
    set_status(workshops, reminder["id"], "executing")
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        assert workshops.db.refusal(edit, reminder["id"]) == "23514"
        results: LiteralString = "update public.whatsapp_automation_tasks set queued_count = 9 where id = %s"
        assert workshops.db.refusal(results, reminder["id"]) == DENIED


def test_a_member_executes_nothing(workshops: Workshops, reminder: Row) -> None:
    with workshops.db.speaking_as("authenticated", workshops.org.people["member"]):
        assert workshops.db.run(SET_STATUS, "executing", reminder["id"]) == 0
    assert task(workshops, reminder["id"])["status"] == "pending"


def test_a_task_names_templates_of_its_own_organisation_or_the_systems(
    workshops: Workshops, reminder: Row
) -> None:
    other = Workshops(workshops.db, Organisation(workshops.db)).template("secret", "Theirs")
    own = workshops.template("mine", "Hi {{name}}, mine")
    choose: LiteralString = "update public.whatsapp_automation_tasks set template_id = %s where id = %s"
    with workshops.db.speaking_as("authenticated", workshops.org.people["admin"]):
        assert workshops.db.refusal(choose, other, reminder["id"]) == "23514"
        workshops.db.run(choose, own, reminder["id"])
    set_status(workshops, reminder["id"], "executing")
    assert queued(workshops, reminder["id"])["+491701111111"]["message_content"] == "Hi Mira, mine"


def test_the_default_account_is_a_connected_one_then_the_oldest_that_is_enabled(workshops: Workshops) -> None:
    db, org = workshops.db, workshops.org
    default: LiteralString = "select herald.default_session(%s)"
    younger = org.add_session(created_at=db.now() + timedelta(days=1))
    assert db.value(default, org.id) == org.session
    db.run(
        "update public.whatsapp_sessions set status = 'connected', connected_at = now(), whatsapp_id = 'x'"
        " where id = %s",
        younger,
    )
    assert db.value(default, org.id) == younger
    db.run("update public.whatsapp_sessions set enabled = false where id = %s", younger)
    assert db.value(default, org.id) == org.session
    db.run("update public.whatsapp_sessions set enabled = false where id = %s", org.session)
    assert db.value(default, org.id) is None
