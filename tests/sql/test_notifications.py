"""A CRM's own notifications: queued as messages, told what became of them."""

from typing import LiteralString
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from localstack.migrations import MIGRATIONS
from tests.kit.database import Db, Organisation, Row, Run
from tests.kit.people import PHONE, contact, new_phone, opt_out, refused

CANCEL: LiteralString = "update public.notification_queue set status = 'cancelled' where id = %s"
RETRY: LiteralString = "update public.notification_queue set status = 'pending' where id = %s"
(MIGRATION,) = MIGRATIONS.glob("*_notifications.sql")


def notify(org: Organisation, **columns: object) -> UUID:
    row: dict[str, object] = {
        "type": "whatsapp",
        "template": "payment_reminder",
        "recipient_phone": PHONE,
        "recipient_name": "Asha",
        "message_data": Jsonb({"amount": "20 €", "date": "Friday"}),
    }
    return org.db.insert("public.notification_queue", organization_id=org.id, **(row | columns))


def notification(db: Db, made: UUID) -> Row:
    return db.row("select * from public.notification_queue where id = %s", made)


def status(db: Db, made: UUID) -> str:
    return str(notification(db, made)["status"])


def messages(org: Organisation) -> list[Row]:
    return org.db.rows(
        "select * from public.scheduled_whatsapp_messages where organization_id = %s order by status", org.id
    )


def message(org: Organisation) -> Row:
    (found,) = messages(org)
    return found


# == queued ==


def test_a_notification_becomes_a_message(db: Db, org: Organisation) -> None:
    with db.speaking_as("authenticated", org.people["admin"]):
        made = notify(org, priority=8, max_attempts=5, scheduled_for="2030-01-01T10:00Z")
    row = message(org)
    assert row["message_content"].startswith("Hi Asha, a friendly reminder: 20 € is due on Friday")
    assert (row["recipient_phone"], row["priority"], row["max_retries"]) == (PHONE, 8, 4)
    assert row["scheduled_for"].isoformat().startswith("2030-01-01")
    assert row["idempotency_key"] == f"notification:{made}"
    assert status(db, made) == "pending"


def test_other_notifications_are_left_alone(org: Organisation) -> None:
    notify(org, type="email")
    assert messages(org) == []


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"template": "nothing"}, 'no active template "nothing"'),
        ({"message_data": Jsonb({"amount": "20 €"})}, "needs a value for date"),
    ],
    ids=["template", "values"],
)
def test_what_cannot_be_queued_fails_with_its_reason(
    db: Db, org: Organisation, columns: dict[str, object], reason: str
) -> None:
    made = notify(org, **columns)
    row = notification(db, made)
    assert row["status"] == "failed"
    assert reason in row["error_message"]
    assert messages(org) == []


def test_without_an_account_it_fails_too(db: Db, org: Organisation) -> None:
    db.run("delete from public.whatsapp_sessions where organization_id = %s", org.id)
    row = notification(db, notify(org))
    assert (row["status"], "no WhatsApp account" in row["error_message"]) == ("failed", True)


def test_an_opt_out_is_told(db: Db, org: Organisation) -> None:
    opt_out(org, contact(org))
    row = notification(db, notify(org))
    assert (row["status"], "has opted out" in row["error_message"]) == ("failed", True)


# == told ==


def test_its_message_tells_what_becomes_of_it(db: Db, org: Organisation, run: Run) -> None:
    made = notify(org)
    claim = run.claim_one()
    assert (status(db, made), notification(db, made)["attempts"]) == ("processing", 1)
    run.settle(claim, "rejected", retry=True, code="busy", reason="try later")
    row = notification(db, made)
    assert (row["status"], row["attempts"], row["error_message"]) == ("pending", 1, "try later")
    db.pass_time(600)
    run.connect(org.session)
    run.accept(run.claim_one(), "3EB0")
    row = notification(db, made)
    assert (row["status"], row["attempts"], row["sent_at"], row["error_message"]) == ("sent", 2, db.now(), None)
    for kind in ("delivered", "read"):
        run.receipt(org.session, "3EB0", f"{PHONE[1:]}@s.whatsapp.net", kind)
        assert status(db, made) == "delivered"


def test_a_message_that_fails_or_expires_tells_why(db: Db, org: Organisation, run: Run) -> None:
    made = notify(org)
    run.settle(run.claim_one(), "rejected", code="not-on-whatsapp", reason="The number is not on WhatsApp.")
    row = notification(db, made)
    assert (row["status"], row["error_message"]) == ("failed", "The number is not on WhatsApp.")


def test_a_crm_that_takes_no_status_does_not_stop_a_settle(db: Db, org: Organisation, run: Run) -> None:
    made = notify(org)
    db.run("alter table public.notification_queue add constraint only_pending check (status = 'pending')")
    claim = run.claim_one()
    assert run.accept(claim) == 1
    assert status(db, made) == "pending"
    alert = db.row("select message from public.whatsapp_alerts where kind = 'notification-refused'")
    assert "only_pending" in alert["message"]


# == taken back, edited, tried again ==


def test_cancelling_the_notification_cancels_the_message(db: Db, org: Organisation) -> None:
    made = notify(org)
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run(CANCEL, made)
    assert (message(org)["status"], status(db, made)) == ("cancelled", "cancelled")


def test_cancelling_the_message_cancels_the_notification(db: Db, org: Organisation) -> None:
    made = notify(org)
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run(
            "update public.scheduled_whatsapp_messages set status = 'cancelled' where id = %s", message(org)["id"]
        )
    assert status(db, made) == "cancelled"


def test_a_notification_that_is_removed_is_not_sent(db: Db, org: Organisation) -> None:
    db.run("delete from public.notification_queue where id = %s", notify(org))
    assert message(org)["status"] == "cancelled"


def test_an_edit_is_sent_instead(db: Db, org: Organisation) -> None:
    made, other = notify(org), new_phone()
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run(
            "update public.notification_queue set recipient_phone = %s, priority = 10, message_data = %s"
            " where id = %s",
            other,
            Jsonb({"amount": "30 €", "date": "Monday"}),
            made,
        )
    row = message(org)
    assert (row["recipient_phone"], row["priority"], "30 € is due on Monday" in row["message_content"]) == (
        other,
        10,
        True,
    )


def test_an_edit_that_can_not_be_sent_fails_with_its_reason(db: Db, org: Organisation) -> None:
    made = notify(org)
    db.run("update public.notification_queue set message_data = '{}' where id = %s", made)
    assert "needs a value for amount, date" in notification(db, made)["error_message"]
    assert messages(org) == []


def test_what_is_on_its_way_can_not_be_edited(db: Db, org: Organisation, run: Run) -> None:
    made = notify(org)
    run.claim_one()
    db.run("alter table public.scheduled_whatsapp_messages disable trigger notification_told")
    db.run("update public.notification_queue set status = 'failed' where id = %s", made)
    with refused(db, "is sending already"):
        db.run(RETRY, made)


def test_a_second_try_keeps_the_first_ones_record(db: Db, org: Organisation) -> None:
    made = notify(org, template="nothing")
    db.run(
        "update public.notification_queue set template = 'payment_reminder', status = 'pending' where id = %s",
        made,
    )
    assert message(org)["status"] == "pending"
    db.run(
        "update public.scheduled_whatsapp_messages set status = 'failed', error_code = 'x', error_message = 'x'"
    )
    assert status(db, made) == "failed"
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run(RETRY, made)
    assert [row["status"] for row in messages(org)] == ["failed", "pending"]
    assert status(db, made) == "pending"


def test_a_message_that_a_person_retries_takes_its_notification_along(db: Db, org: Organisation) -> None:
    made = notify(org)
    first = message(org)["id"]
    db.run(
        "update public.scheduled_whatsapp_messages set status = 'failed', error_code = 'x', error_message = 'x'"
    )
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run("update public.scheduled_whatsapp_messages set status = 'pending'")
    assert (message(org)["id"], message(org)["status"]) == (first, "pending")
    assert status(db, made) == "pending"


def test_a_key_like_a_notifications_is_nobody_elses(db: Db, org: Organisation) -> None:
    made = notify(org)
    other = Organisation(db)
    stranger = other.schedule(idempotency_key=f"notification:{made}")
    odd = org.schedule(idempotency_key="notification:first")
    db.run(
        "update public.scheduled_whatsapp_messages set status = 'cancelled' where id = any(%s)", [stranger, odd]
    )
    assert status(db, made) == "pending"
    assert db.rows("select 1 from public.whatsapp_alerts") == []


# == a CRM of another shape ==


@pytest.mark.parametrize("shape", ["absent", "without message_data"])
def test_a_table_of_another_shape_is_left_alone(db: Db, shape: str) -> None:
    installing = MIGRATION.read_text().split("do $$")[1].split("$$;")[0]
    db.run("drop trigger notification_told on public.scheduled_whatsapp_messages")
    if shape == "absent":
        db.run("drop table public.notification_queue")
    else:
        db.run("drop trigger whatsapp_notification on public.notification_queue")
        db.run("alter table public.notification_queue drop message_data")
    db.connection.execute(f"do $$ {installing} $$".encode())
    found = db.rows("select 1 from pg_trigger where tgname in ('notification_told', 'whatsapp_notification')")
    assert found == []
