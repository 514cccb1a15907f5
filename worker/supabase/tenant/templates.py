"""Message templates: an organisation's own, and the system's."""

from uuid import UUID

from worker.supabase.tenant.tenant import Tenant


async def find(tenant: Tenant, name: str, language: str | None) -> UUID | None:
    """Find the active template that the organisation uses, by name or id; the database chooses among several."""
    found = await tenant.call("whatsapp_template", p_name=name, p_language=language)
    return UUID(found) if found else None
