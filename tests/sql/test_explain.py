"""What the CRM shows on refusals: words for every constraint, found by the error's message."""

from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation
from tests.kit.people import PHONE, contact

#: The types that one may break: checks, uniques, exclusions, foreign keys.
SILENT: LiteralString = """
select k.conrelid::regclass::text || '.' || k.conname as name from pg_constraint as k
where k.connamespace = 'public'::regnamespace and k.contype in ('c', 'u', 'x', 'f')
  and obj_description(k.oid, 'pg_constraint') is null
union all
select i.indexrelid::regclass::text from pg_index as i join pg_class as c on c.oid = i.indexrelid
where c.relnamespace = 'public'::regnamespace and i.indisunique and not i.indisprimary
  and obj_description(c.oid, 'pg_class') is null
  and not exists (select 1 from pg_constraint as k where k.conindid = i.indexrelid and k.contype in ('u', 'x'))
"""
WORDS: LiteralString = """
select k.conname as name, obj_description(k.oid, 'pg_constraint') as words from pg_constraint as k
where k.connamespace = 'public'::regnamespace and k.contype in ('c', 'u', 'x', 'f')
"""


def refusal(db: Db, query: LiteralString, **values: object) -> str:
    """The message with which a statement is refused, as PostgREST passes it on."""
    with pytest.raises(psycopg.Error) as caught, db.connection.transaction(force_rollback=True):
        db.connection.execute(query, values)
    return str(caught.value.diag.message_primary)


def test_every_constraint_has_its_words(db: Db) -> None:
    assert len(db.rows(WORDS)) > 150
    assert [row["name"] for row in db.rows(SILENT)] == []


def test_the_words_are_for_people(db: Db) -> None:
    """A sentence that ends, and no name of a constraint in it."""
    odd = [r for r in db.rows(WORDS) if not r["words"].endswith(".") and not r["words"].endswith("}.")]
    assert odd == []
    assert [r for r in db.rows(WORDS) if r["name"] in r["words"] or "violates" in r["words"]] == []


REFUSALS: list[tuple[LiteralString, str]] = [
    (
        "insert into public.scheduled_whatsapp_messages (organization_id, recipient_phone, message_content)"
        " values (%(org)s, '0170 1234567', 'Hello')",
        "no phone number with country code",
    ),
    (
        "insert into public.scheduled_whatsapp_messages (organization_id, message_content)"
        " values (%(org)s, 'Hello')",
        "exactly one: a group, a contact or a phone number",
    ),
    ("insert into public.whatsapp_contacts (organization_id, phone) values (%(org)s, %(phone)s)", "already"),
    ("update public.whatsapp_sessions set daily_limit = -1", "daily limit from 0 to 100,000"),
    (
        "insert into public.whatsapp_campaign_sessions (organization_id, campaign_id, session_id)"
        " values (%(org)s, gen_random_uuid(), gen_random_uuid())",
        "no such campaign",
    ),
    ("insert into public.whatsapp_campaigns (organization_id) values (%(org)s)", '"name" is missing'),
    ("update public.scheduled_whatsapp_messages set sent_at = now()", "Herald's to write"),
    (
        "insert into public.whatsapp_campaigns (organization_id, name) values (gen_random_uuid(), 'Autumn')",
        "You may not do this here",
    ),
]


@pytest.mark.parametrize(("query", "words"), REFUSALS, ids=[words for _, words in REFUSALS])
def test_a_person_is_told_in_words(db: Db, org: Organisation, query: LiteralString, words: str) -> None:
    contact(org)
    with db.speaking_as("authenticated", org.people["admin"]):
        message = refusal(db, query, org=org.id, phone=PHONE)
        assert words in db.call("whatsapp_explain", p_error=message)


def test_what_says_it_itself_is_not_explained(db: Db) -> None:
    message = refusal(
        db,
        "select herald.account_for(jsonb_populate_record(null::public.scheduled_whatsapp_messages, %(m)s))",
        m=Jsonb({"organization_id": str(uuid4())}),
    )
    assert "no WhatsApp account" in message
    for text in (message, "", 'violates check constraint "nobody_knows_this"'):
        assert db.call("whatsapp_explain", p_error=text) is None


def test_the_table_decides_between_constraints_of_one_name(db: Db) -> None:
    for table, words in (("whatsapp_groups", "this one"), ("whatsapp_contacts", "that one")):
        made: Any = f"alter table public.{table} add constraint twice check (true)"
        db.run(made)
        comment: Any = f"comment on constraint twice on public.{table} is '{words}'"
        db.run(comment)
    error = 'new row for relation "whatsapp_contacts" violates check constraint "twice"'
    assert db.call("whatsapp_explain", p_error=error) == "that one"
