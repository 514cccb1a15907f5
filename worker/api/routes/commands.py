"""Requests to the worker that holds an account: a row of the table of commands, so that any worker can take the call.

The call waits a while for the answer. If it comes later, it is at /api/commands/{id}: the work goes on.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

from worker.api.http.fields import Moment
from worker.api.http.problem import Problem, invalid, not_found, without_numbers
from worker.api.http.routing import Access, Answer, Call, Query, Reply, Routes
from worker.supabase.tenant import accounts, commands

routes = Routes("Commands")

#: Seconds that ?wait= may take, and takes if nothing is said.
LONGEST_WAIT, USUAL_WAIT = 30.0, 10.0

M = TypeVar("M", bound=BaseModel)


class Command(Answer):
    """What was asked of an account, and what came of it. It is forgotten a week after its end."""

    id: UUID
    session_id: UUID
    kind: str
    state: Literal["pending", "running", "done", "failed"]
    result: dict[str, Any] | None = Field(description="once done, as the call would have answered")
    error_message: str | None = Field(description="once failed: why, and what to do")
    expires_at: Moment = Field(description="by then it is done or failed, or taken and given two minutes more")
    created_at: Moment


class WaitQuery(Query):
    """How long to wait for the answer."""

    wait: float = Field(
        USUAL_WAIT, ge=0, le=LONGEST_WAIT, description="seconds; then 202 says where the answer will be"
    )


class AccountQuery(WaitQuery):
    """Through which account, and how long to wait."""

    session_id: UUID | None = Field(None, description="which account, where several could do it")


class CommandPath(Query):
    """One command."""

    id: UUID


@routes.get("/api/commands/{id}", access=Access.ADMIN)
async def get_command(call: Call, path: CommandPath) -> Command:
    """Look at what was asked of an account.

    A call that was answered with 202 is followed here. A QR or pairing code is not told: see the account.
    """
    row = await commands.find(call.tenant, path.id)
    if row is None or row["kind"] == "pairing_code":
        raise not_found("command", "Commands are forgotten a week after their end.")
    return Command.model_validate(row)


async def ask(
    call: Call,
    session: UUID,
    kind: str,
    arguments: Mapping[str, Any],
    *,
    wait: float,
    answer: type[M],
    status: int = 200,
) -> Reply:
    """Ask an account's holder: the answer, or 202 with the command. Raises Problem 409 with why it failed."""
    command = Command.model_validate(await commands.ask(call.tenant, session, kind, arguments))

    async def look() -> Command | None:
        found = await commands.find(call.tenant, command.id)
        if found is None:
            raise not_found("command", "It was removed meanwhile.")
        latest = Command.model_validate(found)
        return latest if latest.state in ("done", "failed") else None

    ended = await call.parts.changes.until(command.id, look, wait)
    if ended is None:
        return Reply(command, status=202, headers={"Location": f"/api/commands/{command.id}"})
    if ended.state == "failed":
        detail = without_numbers(ended.error_message or "It could not be done.")
        raise Problem(409, "command-failed", detail, "See GET /api/auth/status for the account.")
    return Reply(answer.model_validate(ended.result or {}), status=status)


async def connected_account(call: Call, wanted: UUID | None) -> UUID:
    """Find the account to ask: the one that was named, else the only one that is connected. Raises Problem."""
    ready = await accounts.connected(call.tenant, [wanted] if wanted else None, provider="web")
    if not ready:
        if wanted and not await accounts.exists(call.tenant, wanted, "web"):
            raise not_found("account")
        raise not_connected()
    if len(ready) > 1:
        raise invalid("Several accounts are connected.", "/session_id", "Name one of them.")
    return ready[0]


def not_connected() -> Problem:
    """Make the problem of an account that can't be asked now."""
    return Problem(
        409, "not-connected", "No account that could do this is connected.", "Connect it, then call again."
    )
