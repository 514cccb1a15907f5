"""Changes of the published tables, read from a temporary replication slot.

psycopg has no streaming replication, so this polls the slot: 20 ms, and only when the log has grown.
While nobody listens, the slot advances without decoding. Each read decodes from the last point at which the log
lists all running transactions. Postgres writes such a point every 15 s, in which 50 messages a second make 5 MB
of log, to be decoded 50 times a second. So the feed has such points written more often.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import psycopg

from localstack.gateway.realtime.pgoutput import Decoder, Kind, Relation, RowChange
from localstack.gateway.realtime.tables import JsonRow, Table

log = logging.getLogger(__name__)

POLL = 0.02  #: seconds between looks at the log while somebody listens
IDLE = 1.0
POINTS = 0.5  #: seconds between points at which a read can begin, at least
BATCH = 2000  #: a read stops at the first commit after this many messages
BACKOFF = 0.2  #: seconds between attempts while Postgres is away
_SESSION = "-c timezone=UTC -c datestyle=ISO -c statement_timeout=0 -c extra_float_digits=1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change as clients see it, before anybody's rights are checked."""

    table: Table
    kind: Kind
    committed: str  #: ISO 8601, UTC
    record: JsonRow | None
    old_record: JsonRow | None

    @property
    def row(self) -> JsonRow:
        """What filters look at."""
        return self.record if self.record is not None else self.old_record or {}


class Feed:
    """Calls `deliver` with each batch in commit order, and `resumed` after a gap in which changes were lost."""

    def __init__(
        self,
        dsn: str,
        *,
        wanted: Callable[[], bool],
        deliver: Callable[[Sequence[Change]], Awaitable[None]],
        resumed: Callable[[], None],
    ) -> None:
        self._dsn = dsn
        self._wanted = wanted
        self._deliver = deliver
        self._resumed = resumed
        self._wake = asyncio.Event()
        self._live = asyncio.Event()

    async def live(self) -> None:
        """Return when every later commit will be delivered."""
        self._wake.set()
        await self._live.wait()

    async def run(self) -> None:
        """Run until cancelled. After a lost connection, read from a new slot."""
        started_before = False
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._dsn, autocommit=True, options=_SESSION
                ) as connection:
                    await self._follow(connection, again=started_before)
            except psycopg.OperationalError as error:
                log.warning("replication: %s", type(error).__name__)
            except Exception:  # a bug must not end Realtime for good
                log.exception("replication")
            started_before = started_before or self._live.is_set()
            self._live.clear()
            await asyncio.sleep(BACKOFF)

    async def _follow(self, connection: psycopg.AsyncConnection, *, again: bool) -> None:
        slot = f"localstack_realtime_{secrets.token_hex(4)}"
        await connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput', true)", [slot])
        decoder, tables = Decoder(), dict[int, Table | None]()
        seen, pointed = "", 0.0
        makes_points = connection.info.server_version >= 160000
        if again:
            self._resumed()
        while True:
            if not self._live.is_set():  # a listener gets only what is committed after it joined
                await connection.execute(
                    "select pg_replication_slot_advance(%s, pg_current_wal_flush_lsn())", [slot]
                )
            if not self._wanted():
                self._live.clear()
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(IDLE):
                        await self._wake.wait()
                continue
            self._live.set()
            row = await (await connection.execute("select pg_current_wal_flush_lsn()::text")).fetchone()
            assert row
            if row[0] == seen:
                await asyncio.sleep(POLL)
                continue
            messages = await (
                await connection.execute(
                    "select data from pg_logical_slot_get_binary_changes("
                    "%s, null, %s, 'proto_version', '1', 'publication_names', 'supabase_realtime')",
                    [slot, BATCH],
                )
            ).fetchall()
            if not messages:
                seen = row[0]
                continue
            changes = []
            for (message,) in messages:
                match decoder.feed(bytes(message)):
                    case Relation() as relation:
                        tables[relation.oid] = await Table.read(connection, relation)
                    case RowChange(relation=relation) as change if table := tables.get(relation.oid):
                        changes.append(await _as_clients_see_it(connection, table, change))
            if changes:
                await self._deliver(changes)
            if makes_points and time.monotonic() - pointed >= POINTS:
                pointed = time.monotonic()
                await connection.execute("select pg_log_standby_snapshot()")


async def _as_clients_see_it(connection: psycopg.AsyncConnection, table: Table, change: RowChange) -> Change:
    """The old row shrinks to its key when the table has row security: nobody can check who might see the rest."""
    record = await table.to_json(connection, change.new) if change.new is not None else None
    old: JsonRow | None = None
    if change.kind is not Kind.INSERT:
        old = dict(record or {}) if change.old is None else await table.to_json(connection, change.old)
        if table.row_security or not change.old_is_whole:
            old = {column.name: old[column.name] for column in table.key if column.name in old}
    return Change(
        table=table,
        kind=change.kind,
        committed=change.committed.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        record=record,
        old_record=old,
    )
