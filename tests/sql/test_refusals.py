"""A refused row says in the error itself what is wrong, what to do, and a stable code; over real PostgREST."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any, LiteralString
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from localstack.client import Stack
from localstack.layout import REPOSITORY
from tests.kit.database import Db, Organisation
from tests.sql.test_rest import Office, message

Json = dict[str, Any]

CASES: list[tuple[str, Json, str, str, str, str]] = [
    (
        "bad number",
        {"recipient_phone": "0170 1234567"},
        "23514",
        "phone-invalid",
        "no phone number",
        "+491701234567",
    ),
    ("empty text", {"message_content": ""}, "23514", "message-empty", "empty", "Write a text"),
    ("70,000 characters", {"message_content": "x" * 70_000}, "23514", "message-too-long", "too long", "65,536"),
    ("priority 99", {"priority": 99}, "23514", "priority-out-of-range", "out of range", "1 to 10"),
    ("no recipient", {"recipient_phone": None}, "23514", "one-recipient", "exactly one recipient", "group_id"),
    (
        "unknown kind of file",
        {"media_url": "https://files.test/a", "media_kind": "hologram"},
        *("23514", "media-kind-unknown", "no such kind of file", "image, video"),
    ),
    ("no organisation", {"organization_id": None}, "23502", "organization-missing", "no organisation", "Set"),
    (
        "no status",
        {"priority": None},
        "23502",
        "value-missing",
        '"priority" is missing',
        "leave it out of all rows",
    ),
    (
        "unknown contact",
        {"recipient_phone": None, "contact_id": str(uuid4())},
        "23503",
        "contact-unknown",
        "no",
        "Ch",
    ),
    ("unknown campaign", {"campaign_id": str(uuid4())}, "23503", "campaign-unknown", "no such campaign", "Choose"),
]


@pytest.fixture(scope="module")
def office(stack: Stack) -> Iterator[Office]:
    with Db.connect(stack.database_url, autocommit=True) as db:
        org = Organisation(db)
        yield Office(stack, org)
        db.run("delete from public.organizations where id = %s", org.id)
        db.run("delete from auth.users where id = any(%s)", list(org.people.values()))


def said(answer: httpx.Response) -> tuple[str, str]:
    """SQLSTATE and stable code of a refusal."""
    assert answer.is_client_error, answer.text
    return answer.json()["code"], answer.json()["details"]


def refused(db: Db, query: LiteralString, *values: object) -> psycopg.errors.Diagnostic:
    """What the database says when it refuses a statement; nothing of it stays."""
    with pytest.raises(psycopg.Error) as caught, db.connection.transaction(force_rollback=True):
        db.connection.execute(query, values)
    return caught.value.diag


@pytest.mark.parametrize(
    ("columns", "state", "code", "words", "hint"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_a_refused_message_says_why_and_what_to_do(
    office: Office, columns: Json, state: str, code: str, words: str, hint: str
) -> None:
    answer = office.ask("admin", "POST", "scheduled_whatsapp_messages", message(office, **columns))
    assert said(answer) == (state, f"herald:{code}")
    assert words in answer.json()["message"]
    assert hint in answer.json()["hint"]


def test_the_javascript_client_shows_the_words(office: Office) -> None:
    claims = {"sub": str(office.org.people["admin"]), "role": "authenticated", "exp": int(time.time()) + 300}
    said = subprocess.run(
        ["node", REPOSITORY / "tests/integration/supabase_js/refused_rows.mjs"],
        env={
            "PATH": os.environ["PATH"],
            "SUPABASE_URL": office.stack.url,
            "SUPABASE_PUBLISHABLE_KEY": office.stack.publishable_key,
            "TOKEN": office.stack.sign(claims),
            "ORGANIZATION": str(office.org.id),
        },
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    assert json.loads(said) == {
        "phone": {
            "code": "23514",
            "message": "This is no phone number with country code.",
            "details": "herald:phone-invalid",
            "hint": "Write it like +491701234567: a plus sign, the country code, then digits only.",
        },
        "nobody": {
            "code": "23514",
            "message": "A message goes to exactly one recipient.",
            "details": "herald:one-recipient",
            "hint": "Set one of group_id, contact_id and recipient_phone, and leave the others out.",
        },
    }


def test_a_change_is_refused_in_the_same_words(office: Office) -> None:
    (row,) = office.ask("admin", "POST", "scheduled_whatsapp_messages", message(office)).json()
    change = office.ask("admin", "PATCH", f"scheduled_whatsapp_messages?id=eq.{row['id']}", {"priority": 99})
    assert said(change) == ("23514", "herald:priority-out-of-range")


def test_an_unknown_request_to_an_account_says_which_there_are(office: Office) -> None:
    row = {"organization_id": str(office.org.id), "session_id": str(office.org.session), "kind": "dance"}
    answer = office.ask("admin", "POST", "whatsapp_commands", row)
    assert said(answer) == ("23514", "herald:command-kind-unknown")
    assert "refresh_groups" in answer.json()["hint"]


def test_a_second_row_of_a_key_is_refused_and_an_upsert_is_not(office: Office) -> None:
    row = {"organization_id": str(office.org.id), "phone": "+491701230001", "display_name": "Asha"}
    assert office.ask("admin", "POST", "whatsapp_contacts", row).status_code == 201
    assert said(office.ask("admin", "POST", "whatsapp_contacts", row)) == ("23505", "herald:contact-exists")
    twice = [row | {"phone": "+491701230002"}] * 2
    assert said(office.ask("admin", "POST", "whatsapp_contacts", twice)) == ("23505", "herald:contact-exists")

    key = message(office, idempotency_key="kiln 1")
    assert office.ask("admin", "POST", "scheduled_whatsapp_messages", key).status_code == 201
    again = office.ask("admin", "POST", "scheduled_whatsapp_messages", key)
    assert said(again) == ("23505", "herald:queued-already")
    path = "scheduled_whatsapp_messages?on_conflict=organization_id,idempotency_key"
    ignored = office.ask("admin", "POST", path, [key], prefer="resolution=ignore-duplicates")
    assert (ignored.status_code, ignored.json()) == (201, [])
    merged = office.ask("service", "POST", path, [key], prefer="resolution=merge-duplicates")
    assert (merged.status_code, len(merged.json())) == (200, 1), merged.text


def test_an_upsert_inside_a_function_of_the_crm_still_merges(db: Db, org: Organisation) -> None:
    """Which conflicts a function takes care of isn't to be seen from its caller: Postgres decides."""
    db.run(
        "create function public.import_contact(p_organization uuid) returns int language sql as $$"
        " with made as (insert into public.whatsapp_contacts (organization_id, phone)"
        " values (p_organization, '+491701230003') on conflict do nothing returning 1)"
        " select count(*)::int from made $$"
    )
    with db.speaking_as("authenticated", org.people["admin"]):
        assert [db.value("select public.import_contact(%s)", org.id) for _ in range(2)] == [1, 0]


FOREIGN: dict[str, Json] = {
    "nothing wrong": {},
    "a bad number": {"recipient_phone": "0170"},
    "a contact of theirs": {"recipient_phone": None, "contact_id": "theirs"},
    "a contact of nobody": {"recipient_phone": None, "contact_id": str(uuid4())},
    "a key of theirs": {"idempotency_key": "their key"},
}


@pytest.mark.parametrize("columns", FOREIGN.values(), ids=FOREIGN)
def test_a_row_for_another_organisation_is_refused_alike_whatever_it_names(
    db: Db, org: Organisation, columns: Json
) -> None:
    theirs = Organisation(db)
    theirs.schedule(idempotency_key="their key")
    ids = {"theirs": db.insert("public.whatsapp_contacts", organization_id=theirs.id, phone="+491701230004")}
    row = {
        "session_id": theirs.session,
        "recipient_phone": "+491701230005",
        "idempotency_key": None,
        "contact_id": None,
    }
    row |= {name: ids.get(value, value) for name, value in columns.items()}
    with db.speaking_as("authenticated", org.people["admin"]):
        told = refused(
            db,
            "insert into public.scheduled_whatsapp_messages"
            " (organization_id, session_id, recipient_phone, contact_id, idempotency_key, message_content)"
            " values (%s, %s, %s, %s, %s, 'Hello')",
            theirs.id,
            *(row[name] for name in ("session_id", "recipient_phone", "contact_id", "idempotency_key")),
        )
    assert (told.sqlstate, told.message_detail, told.message_hint) == ("42501", None, None)
    assert told.message_primary == (
        'new row violates row-level security policy for table "scheduled_whatsapp_messages"'
    )


def test_an_outsiders_broken_contact_is_refused_by_the_row_policy(db: Db, org: Organisation) -> None:
    theirs = Organisation(db)
    for phone in ("+491701230006", "0170"):
        with db.speaking_as("authenticated", org.people["admin"]):
            told = refused(
                db,
                "insert into public.whatsapp_contacts (organization_id, phone) values (%s, %s)",
                theirs.id,
                phone,
            )
        assert (told.sqlstate, "row-level security" in str(told.message_primary)) == ("42501", True)


def test_a_foreign_id_and_one_of_nobody_are_refused_alike(db: Db, org: Organisation) -> None:
    theirs = Organisation(db)
    contact = db.insert("public.whatsapp_contacts", organization_id=theirs.id, phone="+491701230007")
    told = []
    with db.speaking_as("authenticated", org.people["admin"]):
        for named in (contact, uuid4()):
            refusal = refused(
                db,
                "insert into public.scheduled_whatsapp_messages"
                " (organization_id, session_id, contact_id, message_content) values (%s, %s, %s, 'Hello')",
                *(org.id, org.session, named),
            )
            told.append((refusal.sqlstate, refusal.message_primary, refusal.message_detail, refusal.message_hint))
    assert told[0] == told[1]
    assert told[0][2] == "herald:contact-unknown"


@pytest.mark.parametrize("conflicts", ["", " on conflict do nothing"], ids=["insert", "upsert"])
@pytest.mark.parametrize("table", ["workshop_attendees", "whatsapp_campaign_sessions", "whatsapp_session_users"])
def test_a_key_of_another_organisations_row_is_refused_as_one_of_nobody(
    db: Db, org: Organisation, table: str, conflicts: str
) -> None:
    """Postgres looks at unique keys before foreign keys: a taken one must not tell that it is."""
    theirs = Organisation(db)
    workshop = db.insert(
        "public.workshops", organization_id=theirs.id, title="Kiln", starts_at="2030-01-01T10:00:00Z"
    )
    campaign = db.insert("public.whatsapp_campaigns", organization_id=theirs.id, name="Kiln")
    keys: dict[str, Json] = {
        "workshop_attendees": {"workshop_id": workshop, "phone": "+491701230010"},
        "whatsapp_campaign_sessions": {"campaign_id": campaign, "session_id": theirs.session},
        "whatsapp_session_users": {"session_id": theirs.session, "user_id": theirs.people["member"]},
    }
    taken = keys[table]
    db.insert(f"public.{table}", organization_id=theirs.id, **taken)
    first = next(iter(taken))
    insert = sql.SQL("insert into {} (organization_id, {}) values (%s, %s, %s){}").format(
        sql.Identifier("public", table),
        sql.SQL(", ").join(map(sql.Identifier, taken)),
        sql.SQL(" on conflict do nothing" if conflicts else ""),
    )
    told = []
    with db.speaking_as("authenticated", org.people["admin"]):
        for organization in (org.id, theirs.id):
            for row in (taken, taken | {first: uuid4()}):
                with pytest.raises(psycopg.Error) as caught, db.connection.transaction(force_rollback=True):
                    db.connection.execute(insert, [organization, *row.values()])
                told.append(
                    (caught.value.sqlstate, caught.value.diag.message_primary, caught.value.diag.message_detail)
                )
    assert told[0::2] == told[1::2]
    assert [(state, str(detail)[:7]) for state, _, detail in told[0::2]] == [
        ("23503", "herald:"),
        ("42501", "None"),
    ]


def test_heralds_own_functions_fire_no_trigger_of_words(db: Db, org: Organisation) -> None:
    """What claims and settles runs as the owner: the constraint itself answers, and a claim pays nothing."""
    told = refused(db, "update public.whatsapp_sessions set daily_limit = -1 where id = %s", org.session)
    assert "violates check constraint" in str(told.message_primary)
