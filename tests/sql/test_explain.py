"""whatsapp_explain: the words of a constraint from Postgres's own message, which functions catch."""

from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.kit.database import Db, Organisation
from tests.kit.people import PHONE, contact


def refusal(db: Db, query: LiteralString, **values: object) -> str:
    """The message with which a statement is refused, as PostgREST passes it on."""
    with pytest.raises(psycopg.Error) as caught, db.connection.transaction(force_rollback=True):
        db.connection.execute(query, values)
    return str(caught.value.diag.message_primary)


REFUSALS: list[tuple[LiteralString, str]] = [
    (
        "insert into public.scheduled_whatsapp_messages (organization_id, recipient_phone, message_content)"
        " values (%(org)s, '0170 1234567', 'Hello')",
        "no phone number with country code",
    ),
    (
        "insert into public.scheduled_whatsapp_messages (organization_id, message_content)"
        " values (%(org)s, 'Hello')",
        "exactly one recipient",
    ),
    ("insert into public.whatsapp_contacts (organization_id, phone) values (%(org)s, %(phone)s)", "already"),
    ("update public.whatsapp_sessions set daily_limit = -1", "Choose 0 to 100,000 messages"),
    (
        "insert into public.whatsapp_campaign_sessions (organization_id, campaign_id, session_id)"
        " values (%(org)s, gen_random_uuid(), gen_random_uuid())",
        "no such campaign",
    ),
    ("insert into public.whatsapp_campaigns (organization_id) values (%(org)s)", '"name" is missing'),
]


@pytest.mark.parametrize(("query", "words"), REFUSALS, ids=[words for _, words in REFUSALS])
def test_what_postgres_says_of_a_constraint_is_explained(
    db: Db, org: Organisation, query: LiteralString, words: str
) -> None:
    contact(org)
    message = refusal(db, query, org=org.id, phone=PHONE)
    assert "violates" in message
    assert words in db.call("whatsapp_explain", p_error=message)


RIGHTS: list[tuple[LiteralString, str]] = [
    ("update public.scheduled_whatsapp_messages set sent_at = now()", "Herald's to write"),
    (
        "insert into public.whatsapp_campaigns (organization_id, name) values (gen_random_uuid(), 'Autumn')",
        "You may not do this here",
    ),
]


@pytest.mark.parametrize(("query", "words"), RIGHTS, ids=[words for _, words in RIGHTS])
def test_what_rights_refuse_is_explained(db: Db, org: Organisation, query: LiteralString, words: str) -> None:
    with db.speaking_as("authenticated", org.people["admin"]):
        assert words in db.call("whatsapp_explain", p_error=refusal(db, query))


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
    for table, words in (("whatsapp_groups", "This one"), ("whatsapp_contacts", "That one")):
        made: Any = f"alter table public.{table} add constraint twice check (true)"
        db.run(made)
        comment: Any = f"comment on constraint twice on public.{table} is '{words}. Do it. (herald:twice)'"
        db.run(comment)
    error = 'new row for relation "whatsapp_contacts" violates check constraint "twice"'
    assert db.call("whatsapp_explain", p_error=error) == "That one. Do it."
