"""The sealed records over PostgREST, for a rotation of keys."""

import base64
from collections.abc import Mapping
from uuid import UUID

from worker.supabase.client import Database
from worker.vault.keyring import Place, head_of
from worker.vault.rotation import Record


class SupabaseRecords:
    """Implements worker.vault.rotation.Records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keys(self) -> Mapping[str, int]:
        """See Records."""
        return dict(await self._database.call("whatsapp_credentials_keys", {}))

    async def page(self, *, not_under: str | None, after: UUID | None, limit: int) -> list[Record]:
        """See Records."""
        rows = await self._database.call(
            "whatsapp_credentials_list",
            {"p_not_under": not_under, "p_after": str(after) if after else None, "p_limit": limit},
        )
        return [
            Record(
                place=Place(
                    organization=UUID(row["organization_id"]),
                    session=UUID(row["session_id"]),
                    generation=row["generation"],
                    incarnation=UUID(row["incarnation"]),
                    clean=row["clean"],
                ),
                sealed=base64.b64decode(row["sealed"]),
                secret=base64.b64decode(row["secret"]) if row["secret"] else None,
            )
            for row in rows
        ]

    async def rewrap(self, record: Record, head: bytes, key_id: str) -> bool:
        """See Records."""
        arguments = {
            "p_session": str(record.place.session),
            "p_generation": record.place.generation,
            "p_was": base64.b64encode(head_of(record.sealed)).decode(),
            "p_head": base64.b64encode(head).decode(),
            "p_key_id": key_id,
        }
        return bool(await self._database.call("whatsapp_credentials_rewrap", arguments))
