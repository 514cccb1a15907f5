"""Erasing a person, retention, and an organisation that leaves with all that it had."""

import json
from typing import Any, LiteralString
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from localstack.client import Stack
from tests.kit.database import DENIED, Db, Organisation, Row, Run
from tests.kit.people import PHONE, contact, new_phone, opt_out, refused
from tests.sql.matrix.catalog import Catalog
from tests.sql.matrix.recipes import RECIPES
from tests.sql.matrix.rows import Rows

JID = f"{PHONE[1:]}@s.whatsapp.net"
LID = "777000111@lid"
#: What nobody may find any more once the person is erased.
TRACES = (PHONE[1:], "Asha Potter", "asha's secret", "777000111")


def erase(org: Organisation, phone: str = PHONE, *, by: str = "admin") -> Row:
    with org.db.speaking_as("authenticated", org.people[by]):
        answer: Row = org.db.call("whatsapp_erase_contact", p_organization=org.id, p_phone=phone)
    return answer


def inbox(org: Organisation, content: str, *, sender: str | None = None, **talk: object) -> UUID:
    """One inbound message in a new conversation of the organisation's account."""
    conversation = org.db.insert(
        "public.whatsapp_conversations", organization_id=org.id, session_id=org.session, **talk
    )
    return org.db.insert(
        "public.whatsapp_messages",
        organization_id=org.id,
        session_id=org.session,
        conversation_id=conversation,
        direction="inbound",
        wa_message_id=str(uuid4()),
        content=content,
        sender=sender,
        sent_at=org.db.now(),
    )


def receipt(org: Organisation, message: UUID, recipient: str) -> None:
    org.db.insert(
        "public.whatsapp_delivery_logs",
        organization_id=org.id,
        session_id=org.session,
        message_id=message,
        recipient=recipient,
        delivered_at=org.db.now(),
    )


def traces(db: Db, org: Organisation) -> list[str]:
    """Tables in which the person can still be found."""
    names = db.rows(
        "select c.table_schema || '.' || c.table_name as name from information_schema.columns as c"
        " join information_schema.tables as t using (table_schema, table_name)"
        " where c.table_schema in ('public', 'herald') and c.column_name = 'organization_id'"
        " and t.table_type = 'BASE TABLE'"
    )
    assert len(names) > 20
    found = []
    for row in names:
        schema, table = row["name"].split(".")
        query: Any = f"select to_jsonb(x)::text as text from {schema}.{table} as x where organization_id = %s"
        if any(trace in found_row["text"] for found_row in db.rows(query, org.id) for trace in TRACES):
            found.append(row["name"])
    return found


# == erasing a person ==


def test_nothing_of_an_erased_person_is_found_again(db: Db, org: Organisation) -> None:
    person = contact(
        org, phone=PHONE, lid=LID, display_name="Asha Potter", attributes=Jsonb({"note": "asha's secret"})
    )
    db.insert("public.whatsapp_group_members", organization_id=org.id, group_id=org.group, contact_id=person)
    sent = org.schedule(
        message_content="asha's secret",
        recipient_name="Asha Potter",
        idempotency_key=f"to:{PHONE}",
        status="sent",
        sent_at=db.now(),
        wa_message_id="3EB0",
    )
    receipt(org, sent, JID)
    org.schedule(recipient_phone=None, contact_id=person, message_content="asha's secret")
    to_group = org.schedule(
        group_id=org.group,
        message_content=f"Welcome @{PHONE[1:]} and @49170123456",
        mentions=[JID, "49170123456@s.whatsapp.net"],
    )
    receipt(org, to_group, LID)
    inbox(org, "asha's secret", contact_id=person)
    inbox(org, "asha's secret", group_id=org.group, sender=JID)
    db.run(
        "insert into public.whatsapp_webhook_events (organization_id, dedup_key, kind, payload, processed_at)"
        " values (%s, 'x', 'message', %s, now())",
        org.id,
        Jsonb({"from": PHONE[1:]}),
    )
    db.run(
        "update public.whatsapp_conversations set last_message = 'Asha Potter', last_message_at = herald.clock()"
    )
    assert len(traces(db, org)) == 6

    answer = erase(org)

    assert traces(db, org) == []
    assert answer == {"contacts": 1, "messages": 2, "in_flight": 0, "groups": 3, "conversations": 1, "events": 1}
    kept = org.message(to_group)
    assert (kept["message_content"], kept["mentions"]) == (
        "Welcome @… and @49170123456",
        ["49170123456@s.whatsapp.net"],
    )


def test_what_stays_is_a_row_without_a_person(db: Db, org: Organisation) -> None:
    sent = org.schedule(status="sent", sent_at=db.now(), wa_message_id="3EB0")
    waiting = org.schedule()
    doubtful = org.schedule(status="in_doubt", error_code="worker-lost", error_message=f"to {PHONE}")
    receipt(org, sent, JID)
    erase(org)
    assert [org.status(message) for message in (sent, waiting, doubtful)] == ["sent", "cancelled", "failed"]
    assert org.message(sent)["sent_at"] == db.now()
    assert org.message(sent)["redacted_at"] == db.now()
    logs = db.value("select count(delivered_at) from public.whatsapp_delivery_logs where message_id = %s", sent)
    assert logs == 1


def test_erasing_again_finds_nothing(org: Organisation) -> None:
    contact(org)
    org.schedule()
    erase(org)
    assert set(erase(org).values()) == {0}


def test_another_organisations_knowledge_of_the_person_stays(db: Db, org: Organisation) -> None:
    other = Organisation(db)
    theirs, message = contact(other), other.schedule()
    erase(org)
    assert db.value("select count(*) from public.whatsapp_contacts where id = %s", theirs) == 1
    assert other.message(message)["recipient_phone"] == PHONE


def test_only_admins_erase(db: Db, org: Organisation) -> None:
    other = Organisation(db)
    for person in (org.people["member"], other.people["owner"]):
        with db.speaking_as("authenticated", person):
            assert db.refusal("select public.whatsapp_erase_contact(%s, %s)", org.id, PHONE) == DENIED
    with db.speaking_as("anon"):
        assert db.refusal("select public.whatsapp_erase_contact(%s, %s)", org.id, PHONE) == DENIED
    erase(org, by="super_admin")
    with db.speaking_as("service_role"):
        db.call("whatsapp_erase_contact", p_organization=org.id, p_phone=PHONE)
    with refused(db, "with country code"):
        erase(org, "0170 1234567")


def test_an_opt_out_outlives_the_erasure(db: Db, org: Organisation) -> None:
    opt_out(org, contact(org))
    erase(org)
    assert traces(db, org) == []
    assert org.message(org.schedule())["error_code"] == "suppressed"


def test_an_erasure_is_in_the_audit_without_the_number(db: Db, org: Organisation) -> None:
    erase(org)
    row = db.row("select * from public.whatsapp_audit_logs where event_type = 'contact.erased'")
    assert row["actor_id"] == org.people["admin"]
    hashed = bytes(db.value("select herald.phone_hash(%s, %s)", org.id, PHONE)).hex()
    assert row["event_data"]["phone_hash"] == hashed
    assert PHONE[1:] not in json.dumps(row["event_data"])


def test_a_receipt_that_comes_later_names_nobody(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    run.accept(run.claim_one(), "3EB0AA")
    erase(org)
    run.receipt(org.session, "3EB0AA", JID, "read")
    assert org.status(message) == "sent"
    assert traces(db, org) == []


# == a message that is on its way ==


@pytest.mark.parametrize("by_contact", [True, False], ids=["contact", "number"])
def test_a_message_on_its_way_is_erased_once_it_is_settled(
    db: Db, org: Organisation, run: Run, by_contact: bool
) -> None:
    person = contact(org, display_name="Asha Potter", attributes=Jsonb({"note": "asha's secret"}))
    recipient: dict[str, object] = {"recipient_phone": None, "contact_id": person} if by_contact else {}
    message = org.schedule(message_content="asha's secret", **recipient)
    claim = run.claim_one()
    assert erase(org)["in_flight"] == 1
    assert db.value("select herald.apply_erasures()") == 0
    assert org.status(message) == "sending"
    assert run.accept(claim, "3EB0AA") == 1
    assert db.value("select herald.apply_erasures()") == 1
    assert org.status(message) == "sent"
    assert traces(db, org) == []
    assert db.value("select count(*) from public.whatsapp_contacts where id = %s", person) == 0


def test_a_message_that_did_not_leave_is_not_sent_to_an_erased_person(db: Db, org: Organisation, run: Run) -> None:
    message = org.schedule()
    claim = run.claim_one()
    erase(org)
    run.settle(claim, "unavailable")
    row = org.message(message)
    assert (row["status"], row["error_code"]) == ("failed", "erased")
    db.run("select herald.apply_erasures()")
    assert traces(db, org) == []


@pytest.mark.parametrize("by", ["person", "policy"])
def test_what_was_redacted_is_not_sent_again(db: Db, org: Organisation, by: str) -> None:
    message = org.schedule(status="failed", error_code="rejected")
    doubtful = org.schedule(status="in_doubt", error_code="worker-lost", recipient_phone=new_phone())
    db.run("select herald.redact_messages(%s)", [message, doubtful])
    retry: LiteralString = "update public.scheduled_whatsapp_messages set status = 'pending' where id = %s"
    with refused(db, "text of this message was removed"), db.speaking_as("authenticated", org.people["admin"]):
        db.run(retry, message)
    if by == "policy":
        db.run(retry, doubtful)
        assert org.status(doubtful) == "failed"


# == retention ==


def retention(db: Db, org: Organisation, **days: int) -> None:
    for name, value in days.items():
        query: Any = f"update public.workshop_automation_config set {name} = %s where organization_id = %s"
        db.run(query, value, org.id)


def test_texts_are_redacted_after_the_organisations_days(db: Db, org: Organisation) -> None:
    retention(db, org, retention_days=30)
    other = Organisation(db)
    sent = {"status": "sent", "sent_at": db.now(), "wa_message_id": "3EB0", "media_kind": "image"}
    old = org.schedule(**sent, media_url="https://cdn.example.org/a.png")
    kept_elsewhere = other.schedule(**sent, media_url="https://cdn.example.org/a.png")
    conversation_message = inbox(org, "asha's secret", contact_id=contact(org))
    db.run("update public.whatsapp_conversations set last_message = 'x', last_message_at = herald.clock()")
    db.pass_time(20 * 86400)
    younger, waiting = org.schedule(status="cancelled"), org.schedule(recipient_phone=new_phone())
    db.pass_time(11 * 86400)
    assert db.value("select herald.apply_retention(1000)") == 3
    row = org.message(old)
    assert (row["message_content"], row["media_url"], row["recipient_phone"]) == ("[redacted]", None, PHONE)
    assert {org.message(m)["redacted_at"] for m in (younger, waiting)} == {None}
    assert other.message(kept_elsewhere)["message_content"] == "The kiln is hot"
    said = db.row("select content from public.whatsapp_messages where id = %s", conversation_message)
    assert said == {"content": "[redacted]"}
    assert (
        db.value("select last_message from public.whatsapp_conversations where organization_id = %s", org.id)
        is None
    )
    assert db.value("select herald.apply_retention(1000)") == 0


def test_what_waits_keeps_its_text_however_old_it_is(db: Db, org: Organisation) -> None:
    retention(db, org, retention_days=1)
    message = org.schedule()
    db.pass_time(40 * 86400)
    assert db.value("select herald.apply_retention(1000)") == 0
    assert org.message(message)["message_content"] == "The kiln is hot"


def test_logs_and_events_are_removed_after_their_days(db: Db, org: Organisation) -> None:
    retention(db, org, log_retention_days=10)
    patient = Organisation(db)
    ages = (9, 11, 39, 41)
    for owner in (org, patient):
        message = owner.schedule(status="sent", sent_at=db.now(), wa_message_id="3EB0")
        for days in ages:
            db.run(
                "insert into public.whatsapp_delivery_logs"
                " (organization_id, session_id, message_id, recipient, created_at)"
                " values (%s, %s, %s, %s, herald.clock() - make_interval(days => %s))",
                owner.id,
                owner.session,
                message,
                f"{days}@lid",
                days,
            )
            db.run(
                "insert into public.whatsapp_audit_logs (organization_id, event_type, created_at)"
                " values (%s, 'test.told', herald.clock() - make_interval(days => %s))",
                owner.id,
                days,
            )
    for days in (29, 31):
        db.run(
            "insert into public.whatsapp_webhook_events (dedup_key, kind, payload, processed_at)"
            " values (%s, 'x', '{}', herald.clock() - make_interval(days => %s))",
            str(days),
            days,
        )
    db.run("insert into public.whatsapp_webhook_events (dedup_key, kind, payload) values ('open', 'x', '{}')")
    assert db.value("select herald.apply_retention(1000)") == 5

    def left(table: LiteralString, owner: Organisation) -> list[int]:
        query: LiteralString = (
            "select extract(day from herald.clock() - created_at)::integer as days from public."
            + table
            + " where organization_id = %s order by days"
        )
        return [row["days"] for row in db.rows(query, owner.id) if row["days"]]

    assert left("whatsapp_delivery_logs", org) == [9]
    assert left("whatsapp_audit_logs", org) == [9, 11, 39]
    assert left("whatsapp_delivery_logs", patient) == left("whatsapp_audit_logs", patient) == list(ages)
    events = db.rows("select dedup_key from public.whatsapp_webhook_events order by dedup_key")
    assert [row["dedup_key"] for row in events] == ["29", "open"]


def test_retention_takes_no_more_than_its_limit_and_shares_it(db: Db, org: Organisation) -> None:
    retention(db, org, retention_days=1)
    for _ in range(12):
        org.schedule(status="cancelled")
    inbox(org, "x", contact_id=contact(org))
    db.pass_time(3 * 86400)
    assert db.value("select herald.apply_retention(12)") == 12
    assert (
        db.value("select count(redacted_at) from public.whatsapp_messages where organization_id = %s", org.id) == 1
    )
    assert [db.value("select herald.apply_retention(12)") for _ in range(2)] == [2, 0]


# == an organisation that leaves ==


def test_an_organisation_leaves_with_a_row_in_every_table(stack: Stack) -> None:
    with Db.connect(stack.database_url, autocommit=True) as db:
        org = Organisation(db)
        catalog = Catalog(db)
        rows = Rows(db, catalog)
        tables = set(RECIPES) - {"organizations", "profiles", "workshop_automation_config"}
        for table in tables:
            rows.make(table, str(org.id))
        db.run(
            "insert into herald.session_credentials values (%s, %s, 1, 'x', 'k', gen_random_uuid(), true, now())",
            org.session,
            org.id,
        )
        opted_out = contact(org, opted_out_at=db.now())
        message = org.schedule(recipient_phone=new_phone())
        db.run("insert into herald.erasures values (%s, %s)", message, org.id)
        db.run("delete from public.whatsapp_contacts where id = %s", opted_out)
        db.run("delete from public.organizations where id = %s", org.id)
        for row in db.rows(
            "select table_schema as schema, table_name as name from information_schema.columns"
            " where table_schema in ('public', 'herald') and column_name = 'organization_id'"
        ):
            query: Any = f"select count(*) from {row['schema']}.{row['name']} where organization_id = %s"
            assert (row["name"], db.value(query, org.id)) == (row["name"], 0)


# == a contact that an admin deletes ==


def test_a_deleted_contact_leaves_its_messages_without_a_person(org: Organisation, run: Run) -> None:
    person = contact(org, phone=PHONE)
    gone = org.schedule(contact_id=person, recipient_phone=None, message_content="asha's secret")
    run.accept(run.claim_one())
    waiting = org.schedule(contact_id=person, recipient_phone=None)
    with org.db.speaking_as("authenticated", org.people["admin"]):
        assert org.db.run("delete from public.whatsapp_contacts where id = %s", person) == 1
    kept = [org.message(message) for message in (gone, waiting)]
    assert [row["status"] for row in kept] == ["sent", "cancelled"]
    assert [(row["contact_id"], row["message_content"]) for row in kept] == [(None, "[redacted]")] * 2


def test_a_contact_stays_while_a_message_to_it_is_on_its_way(org: Organisation, run: Run) -> None:
    person = contact(org, phone=PHONE)
    org.schedule(contact_id=person, recipient_phone=None)
    run.claim_one()
    assert org.db.refusal("delete from public.whatsapp_contacts where id = %s", person) == "23503"
