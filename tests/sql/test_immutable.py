"""What makes a row that row stays, in every table of Herald; references stay within the organisation."""

from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from localstack.client import Stack
from tests.kit.database import Db, Organisation, Run
from tests.kit.people import PHONE, contact, new_phone, refused, template
from tests.sql.matrix.catalog import Catalog
from tests.sql.matrix.rows import Rows

#: The CRM's own tables: not Herald's to guard.
CRM = {"organizations", "profiles", "workshops", "workshop_attendees", "notification_queue"}
#: Refused as a whole by test_audit.py.
APPEND_ONLY = {"whatsapp_audit_logs"}
EVERYWHERE = ("id", "organization_id", "created_at")
#: What else a row is about. A column here that a table's trigger forgets fails; so does a table that is not here.
ABOUT: dict[str, tuple[str, ...]] = {
    "whatsapp_sessions": ("provider",),
    "whatsapp_groups": ("session_id", "group_jid"),
    "whatsapp_contacts": (),
    "whatsapp_group_members": ("group_id", "contact_id"),
    "whatsapp_message_templates": (),
    "whatsapp_campaigns": (),
    "whatsapp_campaign_sessions": ("campaign_id", "session_id"),
    "scheduled_whatsapp_messages": (
        "session_id",
        "group_id",
        "contact_id",
        "recipient_phone",
        "campaign_id",
        "workshop_id",
    ),
    "whatsapp_delivery_logs": ("session_id", "message_id"),
    "whatsapp_commands": ("session_id", "kind"),
    "whatsapp_conversations": ("session_id", "contact_id", "group_id"),
    "whatsapp_messages": ("session_id", "conversation_id", "direction", "wa_message_id"),
    "whatsapp_cloud_accounts": ("session_id", "phone_number_id"),
    "whatsapp_webhook_events": ("dedup_key", "kind"),
    "whatsapp_session_users": ("session_id", "user_id"),
    "whatsapp_alerts": ("session_id", "kind"),
    "whatsapp_webhook_endpoints": (),
    "whatsapp_automation_tasks": ("workshop_id", "rule"),
    "workshop_automation_config": (),
}
OTHER_VALUE: dict[str, object] = {
    "uuid": uuid4(),
    "text": "491700000@g.us",
    "timestamp with time zone": "2001-01-01T00:00Z",
}


@pytest.fixture(scope="module")
def catalog(stack: Stack) -> Catalog:
    with Db.connect(stack.database_url) as db:
        found = Catalog(db)
        assert found.relations
        return found


def test_every_table_of_an_organisation_is_guarded(db: Db) -> None:
    rows = db.rows(
        "select c.table_name from information_schema.columns as c"
        " join information_schema.tables as t using (table_schema, table_name)"
        " where c.table_schema = 'public' and c.column_name = 'organization_id' and t.table_type = 'BASE TABLE'"
    )
    assert {row["table_name"] for row in rows} - CRM - APPEND_ONLY == set(ABOUT)


@pytest.mark.parametrize("table", sorted(ABOUT))
def test_nobody_changes_what_a_row_is_about(db: Db, org: Organisation, catalog: Catalog, table: str) -> None:
    if table == "workshop_automation_config":
        query: LiteralString = "select id from public.workshop_automation_config where organization_id = %s"
        row = db.value(query, org.id)
    else:
        row = Rows(db, catalog).make(table, str(org.id))["id"]
    for column in EVERYWHERE + ABOUT[table]:
        kind = db.value(
            "select data_type from information_schema.columns where table_name = %s and column_name = %s",
            table,
            column,
        )
        change: Any = f"update public.{table} set {column} = %s where id = %s"
        with refused(db, f"{column} of a row of {table} can't be changed"):
            db.run(change, OTHER_VALUE[kind], row)


def test_what_a_row_refers_to_may_still_go(db: Db, org: Organisation) -> None:
    campaign = db.insert("public.whatsapp_campaigns", organization_id=org.id, name="Autumn")
    workshop = db.insert("public.workshops", organization_id=org.id, title="Raku", starts_at="2030-01-01T18:00Z")
    made = template(org, db, content="Hello")
    message = org.schedule(
        campaign_id=campaign, workshop_id=workshop, template_id=made, message_content="", status="pending"
    )
    db.run("delete from public.whatsapp_campaigns where id = %s", campaign)
    db.run("delete from public.workshops where id = %s", workshop)
    db.run("delete from public.whatsapp_message_templates where id = %s", made)
    row = org.message(message)
    assert (row["campaign_id"], row["workshop_id"], row["template_id"]) == (None, None, None)


def test_a_recipient_does_not_go_without_an_erasure(db: Db, org: Organisation) -> None:
    message = org.schedule()
    with refused(db, "message_has_one_recipient"):
        db.run("update public.scheduled_whatsapp_messages set recipient_phone = null where id = %s", message)


def test_a_message_gets_no_other_kind_of_recipient(db: Db, org: Organisation) -> None:
    message = org.schedule()
    with refused(db, "contact_id of a row of"):
        db.run(
            "update public.scheduled_whatsapp_messages set recipient_phone = null, contact_id = %s where id = %s",
            contact(org),
            message,
        )


def test_an_event_learns_whose_it_is_once(db: Db, org: Organisation) -> None:
    event = db.insert("public.whatsapp_webhook_events", dedup_key="x", kind="x", payload="{}")
    change: LiteralString = "update public.whatsapp_webhook_events set organization_id = %s where id = %s"
    assert db.run(change, org.id, event) == 1
    with refused(db, "organization_id of a row of"):
        db.run(change, Organisation(db).id, event)


# == references ==


def test_a_campaign_has_its_organisations_templates(db: Db, org: Organisation) -> None:
    foreign = template(Organisation(db), db)
    with refused(db, "no template with this id"):
        db.insert("public.whatsapp_campaigns", organization_id=org.id, name="Autumn", template_id=foreign)
    campaign = db.insert(
        "public.whatsapp_campaigns", organization_id=org.id, name="Autumn", template_id=template(None, db)
    )
    with refused(db, "no template with this id"):
        db.run("update public.whatsapp_campaigns set template_id = %s where id = %s", foreign, campaign)


def test_a_task_has_its_organisations_templates(db: Db, org: Organisation) -> None:
    workshop = db.insert("public.workshops", organization_id=org.id, title="Raku", starts_at="2030-01-01T18:00Z")
    foreign = template(Organisation(db), db)

    def task(template_id: UUID | None) -> UUID:
        return db.insert(
            "public.whatsapp_automation_tasks",
            organization_id=org.id,
            workshop_id=workshop,
            task_type="send_update",
            scheduled_for="2030-01-01T10:00Z",
            template_id=template_id,
        )

    with refused(db, "belongs to another organisation"):
        task(foreign)
    with refused(db, "belongs to another organisation"):
        db.run("update public.whatsapp_automation_tasks set template_id = %s where id = %s", foreign, task(None))


def test_a_message_keeps_to_its_organisations_templates(db: Db, org: Organisation) -> None:
    message = org.schedule()
    with refused(db, "no template with this id"):
        db.run(
            "update public.scheduled_whatsapp_messages set template_id = %s where id = %s",
            template(Organisation(db), db),
            message,
        )


def test_an_inbox_message_was_sent_by_its_own_account(db: Db, org: Organisation) -> None:
    conversation = db.value("select herald.conversation(%s, %s, null)", org.session, contact(org))

    def outbound(scheduled: UUID) -> UUID:
        return db.insert(
            "public.whatsapp_messages",
            organization_id=org.id,
            session_id=org.session,
            conversation_id=conversation,
            direction="outbound",
            status="sent",
            wa_message_id=str(uuid4()),
            sent_at=db.now(),
            scheduled_message_id=scheduled,
        )

    outbound(org.schedule())
    for stranger in (Organisation(db).schedule(), org.schedule(session_id=org.add_session())):
        with refused(db, "no message of this account"):
            outbound(stranger)


def test_a_stranger_who_is_assigned_an_account_sees_nothing_by_it(db: Db, org: Organisation) -> None:
    stranger = Organisation(db).people["member"]
    org.schedule()
    db.insert("public.whatsapp_session_users", organization_id=org.id, session_id=org.session, user_id=stranger)
    with db.speaking_as("authenticated", stranger):
        for table in ("whatsapp_session_overview", "scheduled_whatsapp_messages", "whatsapp_groups"):
            query: Any = f"select 1 from public.{table} where organization_id = %s"
            assert db.rows(query, org.id) == []


def test_the_workers_updates_pass(org: Organisation, run: Run) -> None:
    message = org.schedule(recipient_phone=new_phone())
    run.accept(run.claim_one(), "3EB0")
    run.receipt(org.session, "3EB0", f"{PHONE[1:]}@s.whatsapp.net", "read")
    assert org.status(message) == "read"


def test_psycopg_sees_a_check_violation(db: Db, org: Organisation) -> None:
    """What PostgREST turns into 400 with the message, not into 500."""
    with pytest.raises(psycopg.errors.CheckViolation):
        db.run("update public.whatsapp_contacts set id = gen_random_uuid() where id = %s", contact(org))
