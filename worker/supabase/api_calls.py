"""Functions of the database that the HTTP API calls beside an organisation's rows.

All raise StoreError when Supabase is away, and DatabaseRefused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from worker.supabase.client import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerPlace:
    """What the database says of a caller.

    user: whose token it saw, None for service_role.  organizations: their own, and whether they are an admin there.
    known: whether the organisation that was named exists.
    """

    user: UUID | None
    super_admin: bool
    organizations: Mapping[UUID, bool]
    known: bool


class ApiCalls:
    """Calls as service_role, but for ``caller``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def caller(self, token: str | None, organization: UUID | None) -> CallerPlace:
        """Ask as the token's user who they are."""
        said = await self._call("whatsapp_api_caller", token=token, p_organization=_text(organization))
        return CallerPlace(
            user=UUID(said["user"]) if said["user"] else None,
            super_admin=said["super_admin"],
            organizations={UUID(entry["id"]): entry["admin"] for entry in said["organizations"]},
            known=said["known"],
        )

    async def take_requests(self, organization: UUID, limit: int, wanted: int) -> tuple[int, float]:
        """Take requests of this minute's limit; how many were granted, and if none, seconds until there are more."""
        said = await self._call(
            "whatsapp_api_take", p_organization=_text(organization), p_limit=limit, p_wanted=wanted
        )
        return said["granted"], said["retry_after"]

    async def take_send(self, organization: UUID, limit: int) -> float:
        """Take one send call of this minute's limit; 0, or the seconds until there is one."""
        return float(
            await self._call("whatsapp_direct_send_take", p_organization=_text(organization), p_limit=limit)
        )

    async def due(self, organization: UUID | None) -> int:
        """Count messages whose time has come, up to 10,000, of one organisation or of all."""
        return int(await self._call("whatsapp_api_due", p_organization=_text(organization)))

    async def figures(self) -> Mapping[str, Mapping[str, float]]:
        """Read the figures of all organisations."""
        return dict(await self._call("whatsapp_api_figures"))

    async def explain(self, text: str) -> str | None:
        """Say in words for people what a constraint that Postgres names means; None: it has no words."""
        words: str | None = await self._call("whatsapp_explain", p_error=text)
        return words

    async def _call(self, function: str, *, token: str | None = None, **arguments: Any) -> Any:
        return await self._database.run(self._database.queries(token).rpc(function, arguments))


def _text(identity: UUID | None) -> str | None:
    return str(identity) if identity else None
