"""Carries out what people ask of a session's holder.

The database checks who asks and what they ask, hands out one command a session at a time, and fails a command that
no worker answers in time. The organisation's admins read the answer, and it is kept: it holds no keys.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import structlog

from worker.errors import HeraldError, LostLease, StoreError
from worker.ports import Command, Commands
from worker.sessions.supervisor import Supervisor

log = structlog.get_logger()

#: What a command may take, seconds; the database gives a running one 120.
COMMAND_SECONDS = 100.0


class CommandRunner:
    """Takes commands and answers each; a slow one holds up no other account's."""

    def __init__(self, commands: Commands, supervisor: Supervisor, ended: Callable[[UUID], None]) -> None:
        self._commands = commands
        self._supervisor = supervisor
        self._ended = ended  #: hears of each that has ended; its account may have more, for `run_pending`
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def run_pending(self) -> None:
        """Take the pending commands for our sessions and begin with them. Raises StoreError."""
        if self._stopping:
            return
        for command in await self._commands.take():
            task = asyncio.create_task(self._answer(command), name=f"command {command.kind}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def finish(self, seconds: float) -> None:
        """Take no more; the database fails what is not answered within these seconds, and says so."""
        self._stopping = True
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        for task in list(self._running):
            task.cancel()

    async def _answer(self, command: Command) -> None:
        result, error = await self._outcome(command)
        try:
            await self._commands.finish(command, result=result, error=error)
        except (StoreError, LostLease) as unwritten:
            # Not repeated: the database fails it as one that may have been done, which is the truth.
            log.warning("command_unanswered", kind=command.kind, error=unwritten)
        self._ended(command.id)

    async def _outcome(self, command: Command) -> tuple[Mapping[str, Any] | None, str | None]:
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                return await self._carry_out(command), None
        except TimeoutError:
            error: Exception = HeraldError(
                "WhatsApp did not answer in time, but it may have happened. Look before you try again."
            )
        except HeraldError as refused:
            error = refused
        except Exception:
            log.exception("command_broke", session_id=str(command.session_id), kind=command.kind)
            error = HeraldError("Something broke while this was done. Look before you try again.")
        log.warning("command_failed", session_id=str(command.session_id), kind=command.kind, error=error)
        return None, str(error)

    async def _carry_out(self, command: Command) -> Mapping[str, Any]:
        if command.kind == "reconnect":
            await self._supervisor.reconnect(command.session_id)
            return {}
        session = self._supervisor.session(command.session_id)
        if session is None:
            raise HeraldError("This account is not being served. Press connect first.")
        work = session.commands.get(command.kind)
        if work is None:
            raise HeraldError(f"This worker can't do {command.kind} with this kind of account. Upgrade it.")
        return await work(command)
