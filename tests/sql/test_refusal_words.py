"""Every rule of the catalog has its words, every raise a hint and a code; the triggers follow from the catalog."""

import re
from typing import LiteralString

import pytest

from localstack.layout import REPOSITORY
from tests.kit.database import Db, Organisation
from tests.sql.test_refusals import refused

#: Constraints and unique indexes without words of the right form.
SILENT: LiteralString = """
select k.conrelid::regclass::text || '.' || k.conname as name from pg_constraint as k
where k.connamespace = 'public'::regnamespace and k.contype in ('c', 'u', 'x', 'f', 'p')
  and not exists (select 1 from herald.refusal_words(k.conrelid, 'c', k.conname))
union all
select i.indexrelid::regclass::text from pg_index as i join pg_class as c on c.oid = i.indexrelid
where c.relnamespace = 'public'::regnamespace and i.indisunique
  and not exists (select 1 from pg_constraint as k where k.conindid = i.indexrelid and k.contype in ('u', 'p'))
  and not exists (select 1 from herald.refusal_words(i.indrelid, 'u', c.relname))
"""
WORDS: LiteralString = """
select k.conname as name, w.* from pg_constraint as k
cross join herald.refusal_words(k.conrelid, 'c', k.conname) as w
where k.connamespace = 'public'::regnamespace
"""
INDEXES: LiteralString = """
select w.code from pg_index as i join pg_class as c on c.oid = i.indexrelid
cross join herald.refusal_words(i.indrelid, 'u', c.relname) as w where c.relnamespace = 'public'::regnamespace
"""
MADE: LiteralString = """
select p.proname as name, pg_get_functiondef(p.oid) as text from pg_proc as p
where p.pronamespace = 'herald'::regnamespace and p.proname like 'words\\_%%'
union all
select t.tgrelid::regclass || '.' || t.tgname, pg_get_triggerdef(t.oid) from pg_trigger as t
where t.tgname in ('zz_words', 'A_words', 'A_words_changed', 'A_words_first')
order by 1
"""


def test_every_constraint_has_its_words(db: Db) -> None:
    assert len(db.rows(WORDS)) > 200
    assert db.rows(SILENT) == []


def test_the_words_are_for_people(db: Db) -> None:
    """Sentences that end, and no name of a constraint in them."""
    rows = db.rows(WORDS)
    assert [r for r in rows if r["hint"][-1] not in ".}" or not r["message"].endswith(".")] == []
    assert [r for r in rows if r["name"] in r["message"] + r["hint"] or "violates" in r["message"]] == []


def test_the_triggers_are_what_the_catalog_makes_of_them(db: Db) -> None:
    """If this fails: a migration changed a constraint; let it end with `select herald.word_refusals();`."""
    before = db.rows(MADE)
    assert db.value("select herald.word_refusals()") > 20
    assert db.rows(MADE) == before
    tables = {row["name"].split(".")[0] for row in before if row["name"].endswith(".zz_words")}
    assert tables == {
        r["name"]
        for r in db.rows(
            "select relname as name from pg_class where relnamespace ="
            " 'public'::regnamespace and relkind in ('r', 'p')"
        )
    }


def test_a_new_constraint_is_worded_by_itself(db: Db, org: Organisation) -> None:
    db.run("alter table public.whatsapp_contacts add constraint no_bob check (display_name <> 'Bob')")
    db.run("comment on constraint no_bob on public.whatsapp_contacts is 'Not Bob. Ask Asha. (herald:no-bob)'")
    db.run("select herald.word_refusals()")
    with db.speaking_as("authenticated", org.people["admin"]):
        told = refused(
            db,
            "insert into public.whatsapp_contacts (organization_id, phone, display_name)"
            " values (%s, '+491701230008', 'Bob')",
            org.id,
        )
    assert (told.message_primary, told.message_hint, told.message_detail) == (
        "Not Bob.",
        "Ask Asha.",
        "herald:no-bob",
    )
    assert (told.sqlstate, told.constraint_name, told.table_name) == ("23514", "no_bob", "whatsapp_contacts")


@pytest.mark.parametrize(
    "change",
    [
        "alter table public.workshop_attendees drop constraint workshop_attendees_status_check",
        "alter table public.workshop_attendees drop constraint workshop_attendees_status_check,"
        " add constraint workshop_attendees_status_check check (status <> '');"
        " comment on constraint workshop_attendees_status_check on public.workshop_attendees is"
        " 'There is no such status. Write one. (herald:attendee-status-unknown)'",
        "alter table public.workshop_attendees rename column attributes to facts",
        "alter table public.workshop_attendees drop column attributes cascade",
    ],
)
def test_what_a_crm_changes_in_its_own_tables_fails_no_insert(
    db: Db, org: Organisation, change: LiteralString
) -> None:
    workshop = db.insert(
        "public.workshops", organization_id=org.id, title="Kiln", starts_at="2030-01-01T10:00:00Z"
    )
    db.run(change)
    status = "waitlist" if "status" in change else "registered"
    with db.speaking_as("authenticated", org.people["admin"]):
        added = db.run(
            "insert into public.workshop_attendees (organization_id, workshop_id, phone, status)"
            " values (%s, %s, '+491701230009', %s)",
            *(org.id, workshop, status),
        )
    assert added == 1


# == what functions raise ==

RAISE = re.compile(r"\braise exception\s(?:[^';]|'(?:[^']|'')*')*;", re.IGNORECASE)
CODE = re.compile(r"detail = '(herald:[a-z0-9]+(?:-[a-z0-9]+)*)'")
#: herald.refuse passes on a constraint's words; who may not queue hears what Postgres's own row policy says.
EXCEPT = ("detail = words.code", "'new row violates row-level security policy for")


def raised(db: Db) -> list[str]:
    """Every `raise exception` of a function, on one line."""
    bodies = db.rows(
        "select p.prosrc as body from pg_proc as p"
        " where p.pronamespace in ('public'::regnamespace, 'herald'::regnamespace)"
    )
    found = [" ".join(text.split()) for row in bodies for text in RAISE.findall(row["body"])]
    return [text for text in found if not any(words in text for words in EXCEPT)]


def test_whatever_a_function_raises_is_a_sentence_with_a_hint_and_a_code(db: Db) -> None:
    texts = raised(db)
    assert len(texts) > 40
    assert [text for text in texts if "hint = " not in text or not CODE.search(text)] == []
    told = [re.match(r"raise exception E?'((?:[^']|'')*)'", text, re.IGNORECASE) for text in texts]
    assert [m[1] for m in told if m and not re.match(r"(?:[A-Z%].*[.:]$|%$|.*:.*%$)", m[1])] == []


def test_every_stable_code_has_its_arabic_and_none_that_has_gone(db: Db) -> None:
    """If this fails: supabase/functions/_shared/explain_arabic.ts lacks a code, or has one that nothing raises."""
    codes = {row["code"] for row in db.rows(WORDS)} | {
        found[1] for text in raised(db) if (found := CODE.search(text))
    }
    codes |= {row["code"] for row in db.rows(INDEXES)} | {"herald:organization-missing", "herald:value-missing"}
    words = (REPOSITORY / "supabase/functions/_shared/explain_arabic.ts").read_text()
    assert codes == set(re.findall(r'^  "(herald:[a-z0-9-]+)":', words, re.MULTILINE))
