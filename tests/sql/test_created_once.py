"""The migrations are the schema: each object is created once, in its final form, and none is dropped."""

from collections import Counter
from typing import LiteralString

import pytest

from localstack.migrations import MIGRATIONS
from tests.kit.database import Db
from tests.sql.created import Created, created, undone
from tests.sql.projects.folders import ADAPTER

FILES = sorted(MIGRATIONS.glob("*.sql"))
TEXTS = {file.name: file.read_text() for file in FILES}
#: What the database has, as kind and name, but what herald.word_refusals() makes from the constraints.
CATALOG: LiteralString = """
with mine as (select oid, nspname as schema from pg_namespace where nspname in ('public', 'herald'))
select 'function' as kind, p.oid::regprocedure::text as name
from pg_proc as p join mine on mine.oid = p.pronamespace
where p.proname not like 'words\\_%%'
union all
select case c.relkind when 'v' then 'view' when 'i' then 'index' else 'table' end, mine.schema || '.' || c.relname
from pg_class as c join mine on mine.oid = c.relnamespace
where c.relkind in ('r', 'v') or c.relkind = 'i' and not exists (
  select 1 from pg_constraint as k where k.conindid = c.oid and k.contype in ('p', 'u')
)
union all
select 'type', mine.schema || '.' || t.typname from pg_type as t
join mine on mine.oid = t.typnamespace join pg_class as c on c.oid = t.typrelid and c.relkind = 'c'
union all
select 'trigger', t.tgname || '@' || mine.schema || '.' || c.relname
from pg_trigger as t join pg_class as c on c.oid = t.tgrelid join mine on mine.oid = c.relnamespace
where not t.tgisinternal and t.tgname not in ('zz_words', 'A_words', 'A_words_changed', 'A_words_first')
union all
select 'policy', p.policyname || '@' || p.schemaname || '.' || p.tablename
from pg_policies as p join mine on mine.schema = p.schemaname
"""


def of(*texts: str) -> list[Created]:
    return [one for text in texts for one in created(text)]


def twice(found: list[Created]) -> list[tuple[str, str]]:
    counted = Counter((one.kind, one.name) for one in found)
    return [name for name, times in counted.items() if times > 1]


def test_nothing_is_created_twice() -> None:
    assert twice(of(*TEXTS.values())) == []


def test_nothing_is_dropped_renamed_or_altered() -> None:
    assert {name: undone(text) for name, text in TEXTS.items() if undone(text)} == {}


def test_only_the_adapter_replaces_functions_because_a_crm_runs_its_text_again() -> None:
    replaced = {name for name, text in TEXTS.items() for one in created(text) if one.replaces}
    assert replaced == {ADAPTER}


def test_what_was_read_from_the_files_is_all_that_the_database_has(db: Db) -> None:
    found = {(one.kind, one.name) for one in of(*TEXTS.values()) if one.kind not in ("schema", "extension")}
    functions = [name for kind, name in found if kind == "function"]
    canonical = db.rows("select f as name, to_regprocedure(f)::text as is from unnest(%s::text[]) as f", functions)
    names = {row["name"]: row["is"] for row in canonical}
    read = {(kind, names[name] if kind == "function" else name) for kind, name in found}
    assert read == {(row["kind"], row["name"]) for row in db.rows(CATALOG)}


@pytest.mark.parametrize(
    "again",
    [
        "create or replace function herald.retry_at(p_retries integer) returns int language sql as $$ select 1 $$;",
        "create view herald.message_holds as select 1 as one;",
        "create trigger touch before update on public.whatsapp_contacts execute function herald.touch();",
        'create trigger "message_new" before insert on public.scheduled_whatsapp_messages execute function f();',
        "create policy messages_select on public.scheduled_whatsapp_messages for select using (true);",
        "create unique index if not exists messages_list_idx on public.scheduled_whatsapp_messages (id);",
        "do $$ begin create table public.whatsapp_groups (id uuid); end $$;",
        "call herald.keep_identity('whatsapp_groups', '{organization_id}');",
        "call herald.tenant_table('whatsapp_groups');",
    ],
)
def test_a_second_creation_is_found(again: str) -> None:
    assert twice(of(*TEXTS.values(), again))


@pytest.mark.parametrize(
    ("text", "is_undone"),
    [
        ("drop policy messages_select on public.scheduled_whatsapp_messages;", True),
        ("do $$ begin drop view herald.message_holds; end $$;", True),
        ("alter table public.whatsapp_groups drop constraint whatsapp_groups_group_jid_check;", True),
        ("alter function herald.touch() set jit = off;", True),
        ("-- drop table public.whatsapp_groups;", False),
        ("comment on table public.whatsapp_groups is 'Don''t drop table this;';", False),
        ("create function f() returns void language sql as $$ drop table x $$;", False),
        ("alter table public.whatsapp_groups enable row level security;", False),
    ],
)
def test_a_drop_is_found(text: str, is_undone: bool) -> None:
    assert bool(undone(text)) is is_undone


def test_overloads_are_two_functions_and_defaults_do_not_tell_them_apart() -> None:
    one = "create function herald.f(p_a uuid, p_b numeric(3, 1) default 1) returns int language sql as $$ $$;"
    assert [found.name for found in created(one)] == ["herald.f(uuid, numeric(3, 1))"]
    assert twice(of(one, one.replace(" default 1", "")))
    assert not twice(of(one, one.replace("p_a uuid", "p_a text")))
