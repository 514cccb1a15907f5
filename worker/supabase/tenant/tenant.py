"""One organisation's rows, as one caller may have them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from postgrest import AsyncPostgrestClient, AsyncSelectRequestBuilder

from worker.supabase.client import Database, Query

Row = dict[str, Any]

#: Every column: parsing the names of thirty costs PostgREST 1.7 ms.
ALL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """The one place where the organisation is fixed: what is read, written or called through it is of that one.

    token: the user's own JWT, so that row level security and column grants decide as for the CRM; None: as
    service_role. headers go with every query (they name the request to the audit).
    All methods that wait raise StoreError when Supabase is away, and DatabaseRefused.
    """

    database: Database
    organization: UUID
    token: str | None = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    def select(self, table: str, columns: str = ALL) -> AsyncSelectRequestBuilder:
        """Begin to read rows of the organisation; conditions are added by the builder's methods."""
        return self._own(self._queries.from_(table).select(columns))

    def update(self, table: str, changes: Mapping[str, Any], columns: str = ALL) -> AsyncSelectRequestBuilder:
        """Begin to change rows of the organisation; the answer is those that were changed."""
        return self._own(self._queries.from_(table).update(dict(changes)).select(columns))

    async def rows(self, query: Query) -> list[Row]:
        """Send a query for rows."""
        found: list[Row] = await self.database.run(query)
        return found

    async def insert(
        self, table: str, rows: Iterable[Mapping[str, Any]], columns: str = ALL, *, once_by: str = ""
    ) -> list[Row]:
        """Insert rows of the organisation, all with the same keys; those that were inserted.

        once_by: columns of a unique key; a row whose key is taken is left out of the answer.
        """
        own = [{**row, "organization_id": str(self.organization)} for row in rows]
        target = self._queries.from_(table)
        query = target.upsert(own, ignore_duplicates=True, on_conflict=once_by) if once_by else target.insert(own)
        return await self.rows(query.select(columns))

    async def call(self, function: str, **arguments: Any) -> Any:
        """Call a function that takes p_organization."""
        return await self.database.run(
            self._queries.rpc(function, {**arguments, "p_organization": str(self.organization)})
        )

    @property
    def _queries(self) -> AsyncPostgrestClient:
        return self.database.queries(self.token, self.headers)

    def _own(self, query: AsyncSelectRequestBuilder) -> AsyncSelectRequestBuilder:
        return query.eq("organization_id", str(self.organization))
