"""The sealed state of sessions over PostgREST."""

import base64
from uuid import UUID

from worker.ports import Sealed
from worker.session import Held
from worker.supabase.client import Database
from worker.supabase.fence import fence


class SupabaseCredentials:
    """Implements worker.ports.Credentials for one run of the worker."""

    def __init__(self, database: Database, run: UUID) -> None:
        self._database = database
        self._run = run

    async def organization_secret(self, held: Held) -> bytes | None:
        """See Credentials."""
        secret = await self._database.call("whatsapp_credentials_secret", fence(self._run, held))
        return base64.b64decode(secret) if secret else None

    async def read(self, held: Held) -> Sealed | None:
        """See Credentials."""
        row = await self._database.call("whatsapp_credentials_read", fence(self._run, held))
        if row is None:
            return None
        return Sealed(
            generation=row["generation"],
            record=base64.b64decode(row["sealed"]),
            key_id=row["key_id"],
            incarnation=UUID(row["incarnation"]),
            clean=row["clean"],
            fresh=row["fresh"],
        )

    async def write(self, held: Held, sealed: Sealed) -> None:
        """See Credentials."""
        await self._database.call(
            "whatsapp_credentials_write",
            fence(self._run, held)
            | {
                "p_generation": sealed.generation,
                "p_sealed": base64.b64encode(sealed.record).decode(),
                "p_key_id": sealed.key_id,
                "p_incarnation": str(sealed.incarnation),
                "p_clean": sealed.clean,
            },
        )

    async def forget(self, held: Held) -> None:
        """See Credentials."""
        await self._database.call("whatsapp_credentials_forget", fence(self._run, held))

    async def attach(self, held: Held, incarnation: UUID) -> None:
        """See Credentials."""
        await self._database.call(
            "whatsapp_session_attach", fence(self._run, held) | {"p_incarnation": str(incarnation)}
        )
