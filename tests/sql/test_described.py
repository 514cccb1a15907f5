"""A schema that tells what it holds: the comments are what docs/data-model.md and the CRM's developers read."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from localstack.client import Stack
from scripts.schema.catalog import Catalog, Column, Table, read_catalog

#: A number is self-evident if its name tells the unit, or what it counts.
UNITS = re.compile(r"(_count|_ms|_seconds|_minutes|_days|_percent|_bytes|_per_minute|_per_day)$")
#: Types that a name alone doesn't explain: what is inside?
OPAQUE = re.compile(r"json|bytea|\[\]|interval|range")
NUMBERS = re.compile(r"smallint|integer|bigint|numeric|double|real")
#: Names from another system: whose, in which form?
FOREIGN_NAME = re.compile(r"(_id|_jid|_key|_hash|^lid|^jid)$")


@pytest.fixture(scope="module")
def catalog(stack: Stack) -> Catalog:
    return read_catalog(stack.database_url)


def needs_comment(table: Table, column: Column, elsewhere: set[str]) -> bool:
    """Can't a reader know what the column holds from its name, type, list of values, or the table's comment?

    elsewhere: names that other tables explain: their references; for a view, all their columns.
    """
    listed = {key.columns[0] for key in table.constraints if "= ANY (ARRAY[" in key.definition and key.kind == "c"}
    told = re.search(rf"\b{column.name}\b", table.comment or "")
    count = table.is_view and column.type == "bigint"
    if told or count or column.name in {"id", *listed, *elsewhere}:
        return False
    return bool(
        OPAQUE.search(column.type)
        or (NUMBERS.match(column.type) and not UNITS.search(column.name))
        or column.type == "uuid"
        or FOREIGN_NAME.search(column.name)
    )


def undescribed(catalog: Catalog) -> Iterator[str]:
    """What has no comment and needs one, as the statement that would give it."""
    references = {name for table in catalog.tables for key in table.foreign_keys for name in key.columns}
    columns = {column.name for table in catalog.tables if not table.is_view for column in table.columns}
    for table in catalog.tables:
        elsewhere = columns if table.is_view else references
        if not table.comment:
            yield f"comment on {'view' if table.is_view else 'table'} {table.full_name} is"
        for column in table.columns:
            if not column.comment and needs_comment(table, column, elsewhere):
                yield f"comment on column {table.full_name}.{column.name} is"
    for function in catalog.functions:
        if function.schema == "public" and not function.comment:
            yield f"comment on function public.{function.name}({function.signature}) is"


def test_every_table_every_puzzling_column_and_every_public_function_is_described(catalog: Catalog) -> None:
    assert len(catalog.tables) > 10
    assert list(undescribed(catalog)) == []


def test_a_comment_that_is_taken_away_is_missed(catalog: Catalog) -> None:
    table = replace(next(table for table in catalog.tables if table.name == "whatsapp_groups"), comment=None)
    function = replace(next(one for one in catalog.functions if one.name == "whatsapp_reap"), comment=None)
    missed = undescribed(replace(catalog, tables=(table,), functions=(function,)))
    assert {"comment on table public.whatsapp_groups is", "comment on function public.whatsapp_reap() is"} <= {
        *missed
    }


@pytest.mark.parametrize(
    ("name", "kind", "needed"),
    [
        ("arguments", "jsonb", True),
        ("sealed", "bytea", True),
        ("tags", "text[]", True),
        ("priority", "smallint", True),
        ("requested_by", "uuid", True),
        ("meta_template_id", "text", True),
        ("unread_count", "integer", False),
        ("min_gap_ms", "integer", False),
        ("session_id", "uuid", False),
        ("sent_at", "timestamp with time zone", False),
        ("display_name", "text", False),
        ("is_active", "boolean", False),
        ("tint_code", "bigint", True),
    ],
)
def test_a_column_that_its_name_and_type_explain_needs_no_comment(
    catalog: Catalog, name: str, kind: str, needed: bool
) -> None:
    groups = next(table for table in catalog.tables if table.name == "whatsapp_groups")
    column = Column(name=name, type=kind, required=True, default=None, generated=False, comment=None)
    assert needs_comment(groups, column, elsewhere={"session_id"}) is needed
