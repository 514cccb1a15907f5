"""Removes bytes when the last row that tells of them is gone."""

from collections.abc import Sequence

from localstack.gateway.storage.blobs import Blobs
from localstack.gateway.storage.database import Database, Row, every


class Cleaning:
    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def forget(self, rows: Sequence[Row]) -> None:
        """rows: what was deleted or replaced, with its `version`. Copies share their bytes."""
        versions = sorted({row["version"] for row in rows if row["version"]})
        if not versions:
            return

        async def unused() -> list[str]:
            async with self._database.speaking_as_storage() as connection:
                found = await every(
                    connection,
                    "select v from unnest(%s::text[]) v"
                    " where not exists (select 1 from storage.objects o where o.version = v)",
                    versions,
                )
            return [row["v"] for row in found]

        await self._blobs.forget(unused)
