"""Any value that Postgres holds, in any column that a tenant writes, by each door: refused in words, or all go on."""

from collections.abc import Callable
from typing import LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.database import Db, Row
from tests.sql.any_value import UNREADABLE, VALUES, World

COLUMNS: LiteralString = """
select c.relname as table, a.attname as column, t.typname as type,
  has_column_privilege('authenticated', c.oid, a.attnum, 'update') as upd
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_type as t on t.oid = a.atttypid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  and t.typname in ('text', 'jsonb', '_text', 'timestamptz')
  and (has_column_privilege('authenticated', c.oid, a.attnum, 'insert')
    or has_column_privilege('authenticated', c.oid, a.attnum, 'update'))
order by 1, 2
"""
#: A value that is none of its type, or that the row policies refuse: Postgres says so before any rule of ours is asked.
BY_POSTGRES = ("22", "54", "42501")


def attempts(columns: list[Row], *, readable: bool) -> st.SearchStrategy[tuple[Row, str]]:
    """A column, and a value for it as JSON."""

    def values(column: Row) -> st.SearchStrategy[str]:
        more = [] if readable or column["type"] not in UNREADABLE else [UNREADABLE[column["type"]]]
        return st.one_of(VALUES[column["type"]], *more)

    return st.sampled_from(columns).flatmap(lambda column: st.tuples(st.just(column), values(column)))


def tried(
    world: World, columns: list[Row], doors: tuple[LiteralString | None, ...], examples: int
) -> dict[str, int]:
    """Write as many values; how many were taken and refused."""
    ends = {"taken": 0, "refused": 0}

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(attempt=attempts(columns, readable=None in doors), door=st.sampled_from(doors))
    def attempted(attempt: tuple[Row, str], door: LiteralString | None) -> None:
        column, value = attempt
        with world.db.connection.transaction(force_rollback=True):
            refusal = world.write(door, column, value)
            ends["refused" if refusal else "taken"] += 1
            if refusal is None:
                world.must_live_on()
            elif door:
                assert in_words(refusal), (column, value[:80], refusal.sqlstate, refusal.diag.message_primary)
        world.ids.clear()

    attempted()
    return ends


def in_words(refusal: psycopg.Error) -> bool:
    """Whether it says what is wrong and what to do, or is not ours to say."""
    words = (refusal.diag.message_detail or "").startswith("herald:") and refusal.diag.message_hint
    return bool(words) or (refusal.sqlstate or "").startswith(BY_POSTGRES)


def walk(db: Db, doors: tuple[LiteralString | None, ...], examples: int) -> None:
    world = World.made(db)
    ends = tried(world, db.rows(COLUMNS), doors, examples)
    assert min(ends.values()) > examples // 20, ends


def without_rules(db: Db) -> None:
    """As before there were bounds: any time, size and shape may be in the tables."""
    for rule in db.rows(
        "select conrelid::regclass::text as relation, conname as name from pg_constraint"
        " where contype = 'c' and connamespace = 'public'::regnamespace and obj_description(oid, 'pg_constraint')"
        " ~ '\\(herald:(time-out-of-range|[a-z-]*too-(large|long|many|early)|mentions-[a-z]*|message-[a-z]*)\\)'"
    ):
        db.connection.execute(f'alter table {rule["relation"]} drop constraint "{rule["name"]}"')
    db.run("drop trigger values_readable on public.scheduled_whatsapp_messages")


@pytest.fixture
def there_already(db: Db) -> Callable[[int], None]:
    def walked(examples: int) -> None:
        without_rules(db)
        world = World.made(db)
        tried(world, db.rows(COLUMNS), (None,), examples)

    return walked


def test_whatever_a_tenant_writes_is_refused_in_words_or_all_live_on(db: Db) -> None:
    walk(db, ("authenticated", "service_role"), 60)


def test_with_whatever_is_there_already_all_live_on(there_already: Callable[[int], None]) -> None:
    there_already(30)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_whatever_a_tenant_writes_at_length(db: Db) -> None:
    walk(db, ("authenticated", "service_role"), 3000)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_with_whatever_is_there_already_at_length(there_already: Callable[[int], None]) -> None:
    there_already(1500)
