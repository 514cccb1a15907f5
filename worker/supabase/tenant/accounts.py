"""Accounts: rows for admins, who may see QR and pairing codes; the overview for members."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from worker.supabase.rows import SESSION_OVERVIEW, SESSIONS
from worker.supabase.tenant.tenant import Row, Tenant

_LINKING = "id,status,qr_code,pairing_code,qr_expires_at,phone_number,last_error"


async def create(tenant: Tenant, **columns: Any) -> Row:
    """Make an account; how far its linking is."""
    return (await tenant.insert(SESSIONS, [columns], _LINKING))[0]


async def want(tenant: Tenant, account: UUID, desired_state: str) -> Row | None:
    """Set the state that is wanted; how far linking is, None if there is no such account."""
    query = tenant.update(SESSIONS, {"desired_state": desired_state}, _LINKING).eq("id", str(account))
    return next(iter(await tenant.rows(query)), None)


async def linking(tenant: Tenant, account: UUID) -> Row | None:
    """Tell how far linking is, with its codes."""
    return next(iter(await tenant.rows(tenant.select(SESSIONS, _LINKING).eq("id", str(account)))), None)


async def showing_qr(tenant: Tenant, account: UUID | None, limit: int) -> list[Row]:
    """Find accounts that show a QR code, or this one if it does."""
    query = tenant.select(SESSIONS, _LINKING).eq("status", "qr_pending").not_.is_("qr_code", None).limit(limit)
    return await tenant.rows(query.eq("id", str(account)) if account else query)


async def overview(tenant: Tenant, account: UUID | None = None) -> list[Row]:
    """Read the accounts as members see them: one, or all by name."""
    query = tenant.select(SESSION_OVERVIEW).order("display_name").order("id")
    return await tenant.rows(query.eq("id", str(account)) if account else query)


async def connected(
    tenant: Tenant, among: Iterable[UUID] | None = None, *, provider: str | None = None
) -> list[UUID]:
    """Find the accounts that are enabled and connected."""
    query = tenant.select(SESSIONS, "id").eq("status", "connected").is_("enabled", True)
    if among is not None:
        query = query.in_("id", map(str, among))
    if provider:
        query = query.eq("provider", provider)
    return [UUID(row["id"]) for row in await tenant.rows(query)]


async def exists(tenant: Tenant, account: UUID, provider: str) -> bool:
    """Whether there is such an account."""
    return bool(await tenant.rows(tenant.select(SESSIONS, "id").eq("id", str(account)).eq("provider", provider)))


async def codes(tenant: Tenant) -> list[Row]:
    """Read status, QR and pairing code of all accounts."""
    return await tenant.rows(tenant.select(SESSIONS, "id,status,qr_code,pairing_code"))


async def shown_codes(tenant: Tenant) -> list[Row]:
    """Read the codes of the accounts that show a QR code."""
    query = tenant.select(SESSIONS, "id,qr_code,pairing_code,qr_expires_at")
    return await tenant.rows(query.not_.is_("qr_code", None))


async def visible(tenant: Tenant) -> list[UUID]:
    """List the accounts that the caller may see."""
    return [UUID(row["id"]) for row in await tenant.rows(tenant.select(SESSION_OVERVIEW, "id"))]


async def snapshot(tenant: Tenant) -> list[Row]:
    """Read what a client of WS /api/events is shown of each account."""
    columns = "id,status,desired_state,phone_number,display_name,connected_at,last_error"
    return await tenant.rows(tenant.select(SESSION_OVERVIEW, columns))
