"""What the catalog knows of a published table, and its values as Realtime shows them in JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, sql

from localstack.gateway.realtime.pgoutput import Relation, TextRow

JsonRow = dict[str, Any]

_COLUMNS = """
select a.attname, t.typname, format_type(a.atttypid, null),
       coalesce(a.attnum = any (i.indkey::int2[]), false), c.relrowsecurity
from pg_attribute a
join pg_class c on c.oid = a.attrelid
join pg_type t on t.oid = a.atttypid
left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str  #: as Realtime names it: int8, timestamptz, _text
    sql_type: str  #: as a cast takes it
    in_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    oid: int
    schema: str
    name: str
    columns: Mapping[str, Column]
    row_security: bool

    @property
    def key(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns.values() if column.in_key)

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @classmethod
    async def read(cls, connection: AsyncConnection, relation: Relation) -> "Table | None":
        """None if the table no longer exists."""
        rows = await (await connection.execute(_COLUMNS, [relation.oid])).fetchall()
        if not rows:
            return None
        columns = {name: Column(name, kind, cast, in_key) for name, kind, cast, in_key, _ in rows}
        return cls(
            oid=relation.oid,
            schema=relation.schema,
            name=relation.table,
            columns=columns,
            row_security=rows[0][4],
        )

    async def to_json(self, connection: AsyncConnection, row: TextRow) -> JsonRow:
        """The row as `to_jsonb` would write it."""
        return {
            name: None if text is None else await _value(connection, self.columns[name], text)
            for name, text in row.items()
            if name in self.columns
        }


async def _value(connection: AsyncConnection, column: Column, text: str) -> Any:
    match column.type:
        case "int2" | "int4" | "int8":
            return int(text)
        case "float4" | "float8" | "numeric":
            number = float(text)
            return number if math.isfinite(number) else text
        case "bool":
            return text == "t"
        case "json" | "jsonb":
            return json.loads(text)
        case "timestamp":
            return text.replace(" ", "T", 1)
        case "timestamptz":  # UTC: the feed's connection says so
            return text.replace(" ", "T", 1).removesuffix("+00") + "+00:00"
        case kind if kind.startswith("_"):
            query = sql.SQL("select to_jsonb({}::{})").format(sql.Literal(text), sql.SQL(column.sql_type))
            found = await (await connection.execute(query)).fetchone()
            return found[0] if found else None
        case _:
            return text
