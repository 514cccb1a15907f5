"""Carries out what people ask of a session's holder (table whatsapp_commands)."""

import asyncio

import structlog

from worker.errors import HeraldError
from worker.registry import Command, Registry
from worker.supervisor import Supervisor

log = structlog.get_logger()


class Commands:
    """Takes commands and answers each; one run at a time, commands side by side."""

    def __init__(self, registry: Registry, supervisor: Supervisor) -> None:
        self._registry = registry
        self._supervisor = supervisor

    async def run_pending(self) -> None:
        """Take what is pending for our sessions and carry it out. Raises StoreError."""
        commands = await self._registry.take_commands()
        await asyncio.gather(*(self._answer(command) for command in commands))

    async def _answer(self, command: Command) -> None:
        try:
            result = await self._carry_out(command)
        except HeraldError as error:
            log.warning("command_failed", session_id=str(command.session_id), kind=command.kind, error=error)
            await self._registry.finish_command(command, error=str(error))
        else:
            await self._registry.finish_command(command, result=result)

    async def _carry_out(self, command: Command) -> dict[str, object]:
        session = self._supervisor.session(command.session_id)
        if session is None:
            raise HeraldError("This account is not being served. Press connect first.")
        match command.kind:
            case "refresh_groups":
                return {"groups": await session.sync_groups()}
            case "pairing_code":
                return {"code": await session.pairing_code(str(command.arguments["phone"]))}
            case kind:
                raise HeraldError(f"This worker does not know the command {kind}. Upgrade it.")
