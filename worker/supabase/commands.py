"""The commands of admins over PostgREST."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from worker.ports import Command
from worker.supabase.client import Database


class SupabaseCommands:
    """Implements worker.ports.Commands for one run of the worker."""

    def __init__(self, database: Database, run: UUID) -> None:
        self._database = database
        self._run = run

    async def take(self) -> list[Command]:
        """See Commands."""
        rows = await self._database.call("whatsapp_commands_take", {"p_run": str(self._run)}, attempts=1)
        return [
            Command(
                id=UUID(row["id"]),
                session_id=UUID(row["session_id"]),
                kind=row["kind"],
                arguments=row["arguments"],
                held_back=row["held_back"],
            )
            for row in rows
        ]

    async def finish(
        self, command: Command, *, result: Mapping[str, Any] | None = None, error: str | None = None
    ) -> None:
        """See Commands."""
        arguments = {
            "p_run": str(self._run),
            "p_command": str(command.id),
            "p_result": dict(result) if result is not None else None,
            "p_error": error,
        }
        await self._database.call("whatsapp_command_finish", arguments)
