"""Commands: what is asked of an account's holder."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from worker.supabase.rows import COMMANDS
from worker.supabase.tenant.tenant import Row, Tenant

_COLUMNS = "id,session_id,kind,state,result,error_message,expires_at,created_at"


async def ask(tenant: Tenant, account: UUID, kind: str, arguments: Mapping[str, Any]) -> Row:
    """Ask an account's holder for something; the command."""
    row = {"session_id": str(account), "kind": kind, "arguments": dict(arguments)}
    return (await tenant.insert(COMMANDS, [row], _COLUMNS))[0]


async def find(tenant: Tenant, command: UUID) -> Row | None:
    """Read a command."""
    return next(iter(await tenant.rows(tenant.select(COMMANDS, _COLUMNS).eq("id", str(command)))), None)
