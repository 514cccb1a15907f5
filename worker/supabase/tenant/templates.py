"""Message templates: an organisation's own, and the system's."""

from uuid import UUID

from worker.supabase.rows import TEMPLATES
from worker.supabase.tenant.tenant import Row, Tenant


async def find(tenant: Tenant, name: str, language: str | None) -> UUID | None:
    """Find the active template that the organisation uses, by name or id."""
    query = tenant.select_shared(TEMPLATES, "id,organization_id,is_default,language").is_("is_active", True)
    query = query.eq("id" if "-" in name else "name", name)
    found = await tenant.rows(query.eq("language", language) if language else query)
    return UUID(min(found, key=_order)["id"]) if found else None


def _order(row: Row) -> tuple[bool, bool, bool, str]:
    """Sort as the database does (herald.template)."""
    return (row["organization_id"] is None, not row["is_default"], row["language"] != "en", row["id"])
