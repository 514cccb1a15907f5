"""The rows of groups over PostgREST."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from worker.groups import Group, GroupDetail
from worker.session import Held
from worker.supabase.client import Database
from worker.supabase.fence import fence


class SupabaseGroups:
    """Implements worker.ports.GroupRows for one run of the worker."""

    def __init__(self, database: Database, run: UUID) -> None:
        self._database = database
        self._run = run

    async def write_all(self, held: Held, groups: Sequence[Group]) -> int:
        """See GroupRows."""
        rows = [asdict(group) for group in groups]
        return int(await self._database.call("whatsapp_groups_sync", fence(self._run, held) | {"p_groups": rows}))

    async def write_one(self, held: Held, group: GroupDetail) -> Mapping[str, Any]:
        """See GroupRows."""
        written = await self._database.call(
            "whatsapp_group_sync", fence(self._run, held) | {"p_group": asdict(group)}
        )
        return {name: written[name] for name in ("members", "joined", "left")}

    async def write_invite_link(self, held: Held, group_jid: str, link: str) -> None:
        """See GroupRows."""
        group = {"jid": group_jid, "invite_link": link}
        await self._database.call("whatsapp_group_sync", fence(self._run, held) | {"p_group": group})
