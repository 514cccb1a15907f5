"""The steps of a message: the database holds the worker's table, for everyone, pair by pair."""

from contextlib import nullcontext
from datetime import timedelta
from itertools import product
from typing import LiteralString

import psycopg
import pytest

from tests.kit.database import Db, Organisation, Row
from worker.message import NEXT, MessageStatus

#: What a CRM user may do: take back, try again, settle a doubt.
BY_PERSON = {("pending", "cancelled"), ("in_doubt", "pending"), ("in_doubt", "failed"), ("failed", "pending")}
STEP_BY_PERSON: LiteralString = "update public.scheduled_whatsapp_messages set status = %s where id = %s"
STEP: LiteralString = """
update public.scheduled_whatsapp_messages
set status = %s, error_code = 'x', sent_at = now(), delivered_at = now(), read_at = now(), wa_message_id = 'x'
where id = %s
"""
PAIRS = [(old, new) for old, new in product(MessageStatus, MessageStatus) if old != new]


def test_the_database_and_the_worker_have_the_same_table(db: Db) -> None:
    rows = db.rows("select old_status, new_status, by_person from herald.message_status_steps")
    assert {(r["old_status"], r["new_status"]) for r in rows} == {(o, n) for o, new in NEXT.items() for n in new}
    assert {(r["old_status"], r["new_status"]) for r in rows if r["by_person"]} == BY_PERSON


def message_that_is(org: Organisation, status: str) -> Row:
    now = org.db.now()
    gone = status in ("sent", "delivered", "read")
    return org.message(
        org.schedule(
            status=status,
            wa_message_id="3EB0" if gone else None,
            sent_at=now if gone else None,
            delivered_at=now if status == "delivered" else None,
            read_at=now if status == "read" else None,
            error_code="x" if status in ("failed", "in_doubt") else None,
        )
    )


@pytest.mark.parametrize("person", [False, True], ids=["worker", "admin"])
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_message_takes_legal_steps_only(
    db: Db, org: Organisation, old: MessageStatus, new: MessageStatus, person: bool
) -> None:
    message = message_that_is(org, old)["id"]
    legal = (old.value, new.value) in BY_PERSON if person else new in NEXT[old]
    refusal = pytest.raises(psycopg.errors.CheckViolation, match=f"that is {old} can't become {new}")
    role: LiteralString = "authenticated" if person else "service_role"
    with nullcontext() if legal else refusal, db.speaking_as(role, org.people["admin"]):
        db.run(STEP_BY_PERSON if person else STEP, new, message)
    assert org.status(message) == (new if legal else old)


@pytest.mark.parametrize("status", [s for s in MessageStatus if s is not MessageStatus.PENDING])
def test_a_person_edits_pending_messages_only(db: Db, org: Organisation, status: MessageStatus) -> None:
    pending, other = message_that_is(org, "pending")["id"], message_that_is(org, status)["id"]
    with db.speaking_as("authenticated", org.people["admin"]):
        edit = "update public.scheduled_whatsapp_messages set message_content = 'No' where id = %s"
        assert db.refusal(edit, pending) is None
        assert db.refusal(edit, other) == "23514"


def test_a_retried_message_starts_over(db: Db, org: Organisation) -> None:
    message = message_that_is(org, "sent")["id"]
    db.insert(
        "public.whatsapp_delivery_logs",
        organization_id=org.id,
        session_id=org.session,
        message_id=message,
        recipient="x",
    )
    db.run(
        "update public.scheduled_whatsapp_messages set status = 'failed', error_code = '131026', retry_count = 3,"
        " delivered_count = 1, delivered_at = now(), next_attempt_at = now() + interval '1 day' where id = %s",
        message,
    )
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run("update public.scheduled_whatsapp_messages set status = 'pending' where id = %s", message)
    again = org.message(message)
    cleared = ("wa_message_id", "error_code", "error_message", "next_attempt_at", "sent_at", "delivered_at")
    assert [again[column] for column in cleared] == [None] * len(cleared)
    assert (again["retry_count"], again["delivered_count"], again["read_count"]) == (0, 0, 0)
    assert db.rows("select 1 from public.whatsapp_delivery_logs where message_id = %s", message) == []


def test_a_person_settles_a_doubt_and_the_row_says_who(db: Db, org: Organisation) -> None:
    message = message_that_is(org, "in_doubt")["id"]
    with db.speaking_as("authenticated", org.people["admin"]):
        db.run("update public.scheduled_whatsapp_messages set status = 'failed' where id = %s", message)
    assert org.message(message)["error_code"] == "settled-by-person"


def test_the_same_idempotency_key_is_one_message_in_an_organisation(db: Db, org: Organisation) -> None:
    org.schedule(idempotency_key="welcome-1")
    Organisation(db).schedule(idempotency_key="welcome-1")
    with pytest.raises(psycopg.errors.UniqueViolation):
        org.schedule(idempotency_key="welcome-1")


def test_a_message_that_makes_no_sense_is_refused(db: Db, org: Organisation) -> None:
    now = db.now()
    nonsense: list[Row] = [
        {"group_id": org.group, "recipient_phone": "+491709876567"},
        {"group_id": None},
        {"recipient_phone": "0170 123"},
        {"message_content": ""},
        {"media_url": "https://example.org/a.png"},
        {"scheduled_for": now, "expires_at": now},
        {"priority": 11},
        {"status": "sent"},
        {"status": "failed"},
        {"expires_at": now - timedelta(hours=1)},
    ]
    for columns in nonsense:
        with pytest.raises(psycopg.errors.CheckViolation), db.connection.transaction():
            org.schedule(**columns)
