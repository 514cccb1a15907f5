"""Groups, as last synchronised."""

from uuid import UUID

from worker.supabase.rows import GROUPS
from worker.supabase.tenant.tenant import Row, Tenant


async def page(
    tenant: Tenant, *, account: UUID | None, active: bool, after: tuple[str, str] | None, limit: int
) -> list[Row]:
    """Read groups by their JID. active: only those that the account is in; after: JID and id of the last one."""
    query = tenant.select(GROUPS)
    if account:
        query = query.eq("session_id", str(account))
    if active:
        query = query.is_("is_active", True)
    if after:
        jid, row = after
        query = query.or_(f'group_jid.gt."{jid}",and(group_jid.eq."{jid}",id.gt."{row}")')
    return await tenant.rows(query.order("group_jid").order("id").limit(limit))


async def find(tenant: Tenant, jid: str, account: UUID | None) -> Row | None:
    """Read a group, of several accounts' rows the one that was synchronised last."""
    query = tenant.select(GROUPS).eq("group_jid", jid)
    if account:
        query = query.eq("session_id", str(account))
    query = query.order("synced_at", desc=True, nullsfirst=False).order("id").limit(1)
    return next(iter(await tenant.rows(query)), None)


async def accounts_in(tenant: Tenant, jid: str, account: UUID | None) -> list[UUID]:
    """List the accounts with this group, first those that may do most in it."""
    query = tenant.select(GROUPS, "session_id").eq("group_jid", jid)
    if account:
        query = query.eq("session_id", str(account))
    query = query.order("is_active", desc=True).order("is_admin", desc=True)
    query = query.order("synced_at", desc=True, nullsfirst=False).order("id")
    return [UUID(row["session_id"]) for row in await tenant.rows(query)]
