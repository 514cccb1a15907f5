"""What one caller may see: the database decides, as that caller, and is asked again after some seconds."""

import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from worker.api.events.hub import Event
from worker.api.events.limits import EventLimits
from worker.api.http.caller import Caller, Role
from worker.supabase.client import Database
from worker.supabase.tenant import Row, Tenant, accounts


class Rights:
    """A caller's accounts in their organisation. ``identify`` identifies them again; it raises Problem."""

    def __init__(
        self, caller: Caller, identify: Callable[[], Awaitable[Caller]], database: Database, limits: EventLimits
    ) -> None:
        self.caller = caller
        self._identify = identify
        self._database = database
        self._limits = limits
        self._visible: frozenset[UUID] = frozenset()
        self._at = float("-inf")

    async def allow(self, event: Event) -> bool:
        """Whether the caller may see it now. Raises Problem, StoreError, DatabaseRefused."""
        age = time.monotonic() - self._at
        unknown = event.session_id is not None and event.session_id not in self._visible
        if age > self._limits.fresh_seconds or (unknown and age > self._limits.unknown_seconds):
            await self._refresh()
        if event.admin_only and not self.caller.administers:
            return False
        return event.session_id is None or event.session_id in self._visible

    async def accounts(self) -> dict[UUID, Row]:
        """Read the accounts that the caller may see, with the QR for admins. Raises as ``allow``."""
        self.caller = await self._identify()
        rows = {UUID(row["id"]): row for row in await accounts.snapshot(self._tenant)}
        if self.caller.administers:
            for row in await accounts.shown_codes(self._tenant):
                if (account := rows.get(UUID(row["id"]))) is not None:
                    account |= row
        self._visible, self._at = frozenset(rows), time.monotonic()
        return rows

    async def _refresh(self) -> None:
        self.caller = await self._identify()
        self._visible, self._at = frozenset(await accounts.visible(self._tenant)), time.monotonic()

    @property
    def _tenant(self) -> Tenant:
        assert self.caller.organization
        return Tenant(database=self._database, organization=self.caller.organization, token=self.caller.token)

    def renew(self, caller: Caller) -> bool:
        """Go on under another token of the same user in the same organisation; False: it is another's."""
        was = self.caller
        if caller.user != was.user or caller.organization != was.organization or was.role in _SERVERS:
            return False
        self.caller = caller
        return True


_SERVERS = (Role.SERVER, Role.OPERATOR)
