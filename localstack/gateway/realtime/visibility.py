"""Which changes a subscriber may see: the table's grants and row security, asked of Postgres in the subscriber's
role and with its claims, as PostgREST would.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from localstack.gateway.realtime.feed import Change
from localstack.gateway.realtime.pgoutput import Kind
from localstack.gateway.realtime.tables import Table

log = logging.getLogger(__name__)

#: Bypasses row security, so its rows need no check; its grants do.
UNRESTRICTED = "service_role"

_READABLE = """
select coalesce(array_agg(attname::text), '{}') from pg_attribute
where attrelid = %s and attnum > 0 and not attisdropped and has_column_privilege(attrelid, attnum, 'select')
"""


@dataclass(frozen=True, slots=True)
class Claims:
    """Who listens. Equal claims are checked once."""

    role: str
    text: str  #: the claims as JSON, for `request.jwt.claims`

    @classmethod
    def of(cls, claims: Mapping[str, Any]) -> "Claims":
        return cls(str(claims.get("role", "anon")), json.dumps(claims, sort_keys=True))


@dataclass(frozen=True, slots=True)
class Sight:
    """What one subscriber sees of a table's changes in one batch."""

    columns: frozenset[str]
    rows: frozenset[int]  #: positions in the batch

    def of(self, position: int) -> frozenset[str] | None:
        """The columns to show of a change; None: don't send it."""
        return self.columns if position in self.rows else None


NOTHING = Sight(frozenset(), frozenset())


class Visibility:
    def __init__(self, authenticator_dsn: str) -> None:
        self._dsn = authenticator_dsn
        self._connection: psycopg.AsyncConnection | None = None

    async def close(self) -> None:
        if self._connection:
            await self._connection.close()

    async def look(self, claims: Claims, table: Table, batch: Mapping[int, Change]) -> Sight:
        """What the subscriber sees of these changes, all of one table. A policy that fails shows nothing."""
        for attempt in (1, 2):
            try:
                return await self._look(claims, table, batch)
            except psycopg.OperationalError as error:
                if isinstance(error, psycopg.errors.QueryCanceled) or attempt == 2:
                    log.warning("visibility of %s.%s: %s", table.schema, table.name, type(error).__name__)
                    break
                await self.close()  # Postgres has restarted: try once more on a new connection
            except psycopg.Error as error:
                log.info("visibility of %s.%s: %s", table.schema, table.name, type(error).__name__)
                break
        return NOTHING

    async def _look(self, claims: Claims, table: Table, batch: Mapping[int, Change]) -> Sight:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(self._dsn)
        connection = self._connection
        async with connection.transaction(force_rollback=True):
            await connection.execute("select set_config('request.jwt.claims', %s, true)", [claims.text])
            await connection.execute(sql.SQL("set local role {}").format(sql.Identifier(claims.role)))
            found = await (await connection.execute(_READABLE, [table.oid])).fetchone()
            columns = frozenset[str](found[0] if found else ())
            if not columns or not columns.issuperset(column.name for column in table.key):
                return NOTHING
            if claims.role == UNRESTRICTED or not table.row_security:
                return Sight(columns, frozenset(batch))
            deleted = {position for position, change in batch.items() if change.kind is Kind.DELETE}
            living = [position for position in batch if position not in deleted]
            if living and table.key:
                rows = [
                    {"position": position, **{c.name: batch[position].row[c.name] for c in table.key}}
                    for position in living
                ]
                visible = await (await connection.execute(_visible_rows(table), [json.dumps(rows)])).fetchall()
                deleted.update(position for (position,) in visible)
            return Sight(columns, frozenset(deleted))


def _visible_rows(table: Table) -> sql.Composed:
    """The positions, in a JSON array of keys, of those whose rows this role sees."""
    key: Sequence[Any] = table.key
    return sql.SQL(
        "select k.position from jsonb_to_recordset(%s::jsonb) as k (position int, {columns}) "
        "where exists (select 1 from {table} as t where {same})"
    ).format(
        columns=sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.sql_type)) for column in key
        ),
        table=table.identifier,
        same=sql.SQL(" and ").join(
            sql.SQL("t.{name} = k.{name}").format(name=sql.Identifier(column.name)) for column in key
        ),
    )
