"""Who may do what to which table, generated: every person × table × verb, and every function of the catalog."""

from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from tests.sql.world import DENIED, Db, Organisation

#: 55000: a view that can't be written at all.
NEVER = {DENIED, "55000"}
PEOPLE = ("anon", "member", "admin", "owner", "other org's admin", "super admin")
ADMINS = ("admin", "owner", "super admin")
MEMBERS = (*ADMINS, "member")

#: table → who sees its row, who may insert, who may update, who may delete.
RIGHTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "whatsapp_sessions": (ADMINS, ADMINS, ADMINS, ADMINS),
    "whatsapp_session_overview": (MEMBERS, (), (), ()),
    "whatsapp_groups": (MEMBERS, (), ADMINS, ()),
    "scheduled_whatsapp_messages": (MEMBERS, ADMINS, ADMINS, ()),
    "whatsapp_delivery_logs": (MEMBERS, (), (), ()),
    "whatsapp_commands": (ADMINS, ADMINS, (), ()),
}
SELECT: dict[str, LiteralString] = {
    "whatsapp_sessions": "select 1 from public.whatsapp_sessions where organization_id = %s and %s is not null",
    "whatsapp_session_overview": "select 1 from public.whatsapp_session_overview where organization_id = %s"
    " and %s is not null",
    "whatsapp_groups": "select 1 from public.whatsapp_groups where organization_id = %s and %s is not null",
    "scheduled_whatsapp_messages": "select 1 from public.scheduled_whatsapp_messages where organization_id = %s"
    " and %s is not null",
    "whatsapp_delivery_logs": "select 1 from public.whatsapp_delivery_logs where organization_id = %s"
    " and %s is not null",
    "whatsapp_commands": "select 1 from public.whatsapp_commands where organization_id = %s and %s is not null",
}
INSERT: dict[str, LiteralString] = {
    "whatsapp_sessions": "insert into public.whatsapp_sessions (organization_id, display_name) values (%s, %s)",
    "whatsapp_session_overview": "insert into public.whatsapp_session_overview (organization_id, id)"
    " values (%s, %s)",
    "whatsapp_groups": "insert into public.whatsapp_groups (organization_id, session_id, group_jid)"
    " values (%s, %s, '1@g.us')",
    "scheduled_whatsapp_messages": "insert into public.scheduled_whatsapp_messages"
    " (organization_id, session_id, recipient_phone, message_content) values (%s, %s, '+491701234567', 'Hi')",
    "whatsapp_delivery_logs": "insert into public.whatsapp_delivery_logs (organization_id, message_id, recipient)"
    " values (%s, %s, 'x')",
    "whatsapp_commands": "insert into public.whatsapp_commands (organization_id, session_id, kind)"
    " values (%s, %s, 'refresh_groups')",
}
UPDATE: dict[str, LiteralString] = {
    "whatsapp_sessions": "update public.whatsapp_sessions set daily_limit = 1 where organization_id = %s",
    "whatsapp_session_overview": "update public.whatsapp_session_overview set daily_limit = 1"
    " where organization_id = %s",
    "whatsapp_groups": "update public.whatsapp_groups set region = 'north' where organization_id = %s",
    "scheduled_whatsapp_messages": "update public.scheduled_whatsapp_messages set priority = 9"
    " where organization_id = %s",
    "whatsapp_delivery_logs": "update public.whatsapp_delivery_logs set recipient = 'y'"
    " where organization_id = %s",
    "whatsapp_commands": "update public.whatsapp_commands set state = 'done' where organization_id = %s",
}
DELETE: dict[str, LiteralString] = {
    "whatsapp_sessions": "delete from public.whatsapp_sessions where organization_id = %s",
    "whatsapp_session_overview": "delete from public.whatsapp_session_overview where organization_id = %s",
    "whatsapp_groups": "delete from public.whatsapp_groups where organization_id = %s",
    "scheduled_whatsapp_messages": "delete from public.scheduled_whatsapp_messages where organization_id = %s",
    "whatsapp_delivery_logs": "delete from public.whatsapp_delivery_logs where organization_id = %s",
    "whatsapp_commands": "delete from public.whatsapp_commands where organization_id = %s",
}


@pytest.fixture
def filled(db: Db, org: Organisation) -> Organisation:
    """An organisation with one row in every table."""
    message = org.schedule()
    db.insert(
        "public.whatsapp_delivery_logs",
        organization_id=org.id,
        session_id=org.session,
        message_id=message,
        recipient="x",
    )
    db.insert("public.whatsapp_commands", organization_id=org.id, session_id=org.session, kind="refresh_groups")
    return org


def attempt(db: Db, org: Organisation, person: str, query: LiteralString, *values: object) -> int | str:
    """Rows that the person reached, or the SQLSTATE of the refusal."""
    user: UUID | None = None
    if person == "other org's admin":
        user = Organisation(db).people["admin"]
    elif person != "anon":
        user = org.people[person.replace(" ", "_")]
    if person == "super admin":
        db.run("update public.profiles set organization_id = null where id = %s", user)
    try:
        with db.speaking_as("authenticated" if user else "anon", user):
            return db.run(query, *values)
    except psycopg.Error as error:
        return error.sqlstate or "?"


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("table", RIGHTS)
def test_rows_are_seen_by_whom_they_concern(db: Db, filled: Organisation, table: str, person: str) -> None:
    seen = attempt(db, filled, person, SELECT[table], filled.id, filled.id)
    assert seen == (DENIED if person == "anon" else int(person in RIGHTS[table][0]))


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("table", RIGHTS)
def test_rows_are_added_by_admins_only(db: Db, filled: Organisation, table: str, person: str) -> None:
    added = attempt(db, filled, person, INSERT[table], filled.id, filled.session)
    assert added == 1 if person in RIGHTS[table][1] else added in NEVER


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("table", RIGHTS)
def test_rows_are_changed_by_admins_only(db: Db, filled: Organisation, table: str, person: str) -> None:
    changed = attempt(db, filled, person, UPDATE[table], filled.id)
    if not RIGHTS[table][2] or person == "anon":
        assert changed in NEVER
    else:
        assert changed == int(person in RIGHTS[table][2])


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("table", RIGHTS)
def test_rows_are_removed_by_admins_only(db: Db, filled: Organisation, table: str, person: str) -> None:
    db.run("delete from public.scheduled_whatsapp_messages")  # an account with messages stays, see test_schema
    removed = attempt(db, filled, person, DELETE[table], filled.id)
    if not RIGHTS[table][3] or person == "anon":
        assert removed in NEVER
    else:
        assert removed == int(person in RIGHTS[table][3])


RESULTS: list[tuple[LiteralString, str]] = [
    ("update public.scheduled_whatsapp_messages set wa_message_id = 'x'", DENIED),
    ("update public.scheduled_whatsapp_messages set delivered_count = 9", DENIED),
    ("update public.scheduled_whatsapp_messages set retry_count = 0", DENIED),
    ("update public.scheduled_whatsapp_messages set sent_at = now()", DENIED),
    ("update public.scheduled_whatsapp_messages set organization_id = gen_random_uuid()", DENIED),
    ("update public.scheduled_whatsapp_messages set status = 'sent'", "23514"),
    ("update public.scheduled_whatsapp_messages set status = 'sending'", "23514"),
    ("update public.scheduled_whatsapp_messages set status = 'failed'", "23514"),
    ("update public.whatsapp_sessions set status = 'connected'", DENIED),
    ("update public.whatsapp_sessions set qr_code = null", DENIED),
    ("update public.whatsapp_sessions set phone_number = null", DENIED),
    ("update public.whatsapp_groups set group_jid = '2@g.us'", DENIED),
    ("insert into public.whatsapp_sessions (organization_id, status) values (gen_random_uuid(), 'error')", DENIED),
    (
        "insert into public.scheduled_whatsapp_messages (organization_id, session_id, status)"
        " values (gen_random_uuid(), gen_random_uuid(), 'sent')",
        DENIED,
    ),
    ("update public.profiles set role = 'super_admin'", DENIED),
]


@pytest.mark.parametrize(("query", "state"), RESULTS)
def test_what_the_worker_found_out_is_not_the_crms_to_write(
    db: Db, filled: Organisation, query: LiteralString, state: str
) -> None:
    assert attempt(db, filled, "admin", query) == state


def test_another_organisations_rows_cannot_be_used(db: Db, org: Organisation) -> None:
    other = Organisation(db)
    second = org.add_session()
    workshop = db.insert(
        "public.workshops", organization_id=other.id, title="Glazing", starts_at="2030-01-01T10:00:00Z"
    )
    foreign: list[dict[str, object]] = [
        {"session_id": other.session},
        {"group_id": other.group},
        {"group_id": org.add_group(second)},  # the same organisation's, but another account's
        {"workshop_id": workshop},
    ]
    with db.speaking_as("authenticated", org.people["admin"]):
        for columns in foreign:
            with pytest.raises(psycopg.errors.ForeignKeyViolation), db.connection.transaction():
                org.schedule(**columns)


def test_a_workshop_links_a_group_of_its_own_organisation_only(db: Db, org: Organisation) -> None:
    other = Organisation(db)
    db.insert("public.workshops", organization_id=org.id, title="Glazing", starts_at="2030-01-01T10:00:00Z")
    link: LiteralString = "update public.workshops set whatsapp_group_id = %s where organization_id = %s"
    with db.speaking_as("authenticated", org.people["admin"]):
        assert db.refusal(link, other.group, org.id) == "23503"
        assert db.refusal(link, org.group, org.id) is None
