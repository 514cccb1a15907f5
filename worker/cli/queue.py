"""``herald queue``: what waits, why, and what a person does about it."""

import asyncio
import sys
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from worker.cli.connection import operations
from worker.cli.show import (
    AsJson,
    InOrganization,
    console,
    count,
    distance,
    fitted,
    moment,
    plain,
    print_json,
    recipient,
    status,
    table,
)
from worker.errors import CommandRefused

queue = typer.Typer(
    invoke_without_command=True, help="What waits and why; try again, cancel, settle what is in doubt."
)

#: From this terminal width, in columns, ids of organisations are shown whole.
_WIDE = 110

Message = Annotated[UUID, typer.Argument(metavar="ID", help="The message's id.")]
Sure = Annotated[bool, typer.Option("--yes", help="Don't ask.")]

_TWICE = (
    "If it went out after all, the recipient gets it twice. Look at the chat on the phone first. Send it again?"
)


class Which(StrEnum):
    """Which messages to list."""

    DUE = "due"
    PENDING = "pending"
    SENDING = "sending"
    STUCK = "stuck"
    IN_DOUBT = "in_doubt"
    FAILED = "failed"


class Verdict(StrEnum):
    """What a person says of a message in doubt."""

    SENT = "sent"
    FAILED = "failed"
    PENDING = "pending"


@queue.callback()
def overview(context: typer.Context, organization: InOrganization = None, as_json: AsJson = False) -> None:
    """Show each organisation's queue: what is due and since when, stuck, in doubt."""
    if context.invoked_subcommand is None:
        asyncio.run(_overview(organization, as_json=as_json))


@queue.command(name="list")
def listing(
    which: Annotated[
        Which, typer.Option("--status", help="stuck: being sent, and the claim has run out.")
    ] = Which.DUE,
    organization: InOrganization = None,
    account: Annotated[str | None, typer.Option(metavar="ID", help="Of this account alone.")] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=200, help="The highest number of messages to list.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """List messages, the oldest first; failed ones of the last seven days, the newest first."""
    asyncio.run(_list(which, organization, account, limit, as_json=as_json))


@queue.command()
def why(message: Message, as_json: AsJson = False) -> None:
    """Say why a message has not gone out, and until when."""
    asyncio.run(_why(message, as_json=as_json))


@queue.command()
def retry(message: Message, sure: Sure = False) -> None:
    """Put a message that has failed, or is in doubt, back into the queue."""
    asyncio.run(_settle(message, "pending", sure=sure))


@queue.command()
def cancel(message: Message) -> None:
    """Take a message that waits out of the queue."""
    asyncio.run(_settle(message, "cancelled", sure=True))


@queue.command()
def settle(
    message: Message,
    verdict: Annotated[Verdict, typer.Option("--as", help="What you saw on the phone; pending: send it again.")],
    sure: Sure = False,
) -> None:
    """Say what became of a message that is in doubt."""
    asyncio.run(_settle(message, verdict.value, sure=sure, only="in_doubt"))


async def _settle(message: UUID, to: str, *, sure: bool, only: str = "") -> None:
    async with operations() as asked:
        facts = await asked.message(message)
        if only and facts["status"] not in (only, to):
            raise CommandRefused(f"The message is {facts['status'].replace('_', ' ')}, not in doubt.")
        if to == "pending" and facts["status"] == "in_doubt" and not sure:
            if not sys.stdin.isatty():
                raise CommandRefused("It may have gone out already. To send it all the same, add --yes.")
            typer.confirm(_TWICE, abort=True, err=True)
        done = await asked.settle(message, to)
    if done["was"] == to:
        print(f"{message} was {to} already.")
    else:
        print(f"{message} is {to} now; it was {done['was'].replace('_', ' ')}.")


async def _overview(organization: UUID | None, *, as_json: bool) -> None:
    async with operations() as asked:
        found = await asked.overview(organization)
    if as_json:
        print_json(found["organizations"])
        return
    out = console()
    out.print(queues_table(found, out.width) if found["organizations"] else "No organisation yet.")


def queues_table(found: dict[str, Any], width: int) -> Table:
    """Make a table of the organisations' queues: a line each, with whole ids where there is room."""
    now = moment(found["now"])
    shown = table("organisation", ">due", "oldest due", ">waiting", ">sending", ">stuck", ">in doubt", "accounts")
    for one in found["organizations"]:
        late = moment(one["oldest_due_at"])
        old = late is not None and now is not None and (now - late).total_seconds() > 300
        shown.add_row(
            *(
                one["organization_id"] if width >= _WIDE else one["organization_id"][:8],
                count(one["due"]),
                Text(distance(late, now), "red" if old else ""),
            ),
            *(count(one["pending"]), count(one["sending"]), Text(count(one["stuck"]), "red")),
            *(
                Text(count(one["in_doubt"]), "yellow"),
                f"{one['accounts_connected']} of {one['accounts']} on",
            ),
        )
    return fitted(shown, width)


async def _list(
    which: Which, organization: UUID | None, account: str | None, limit: int, *, as_json: bool
) -> None:
    async with operations() as asked:
        found = await asked.queue(which, organization=organization, account=account, limit=limit)
    if as_json:
        print_json(found)
        return
    out = console()
    if not found:
        out.print(f"No message is {which.value.replace('_', ' ')}.")
        return
    out.print(messages_table(found))
    if len(found) == limit:
        out.print(f"These are the first {limit}; --limit shows more.", style="dim")


def messages_table(found: list[dict[str, Any]], width: int | None = None) -> Table:
    """Make a table of messages: a line each."""
    shown = table("message", "account", "to", "status", "due", "what happened")
    for one in found:
        said = one["error_code"] or (f"tried {one['retry_count']} times" if one["retry_count"] else "")
        shown.add_row(
            *(one["id"], one["session_id"][:8], recipient(one), status(one["status"])),
            *(distance(moment(one["due_at"])), said),
        )
    return fitted(shown, width)


async def _why(message: UUID, *, as_json: bool) -> None:
    async with operations() as asked:
        facts = await asked.message(message)
    if as_json:
        print_json(facts)
        return
    out = console()
    out.print(Text.assemble("It is ", status(facts["status"]), f", to {recipient(facts)}."))
    for reason in reasons(facts):
        out.print(Text(f"  {reason}"))
    for step in ({"in_doubt": "herald queue settle", "failed": "herald queue retry"}.get(facts["status"]),):
        if step:
            out.print(
                f"  → {step} {message}" + (" --as sent|failed|pending" if "settle" in step else ""), style="cyan"
            )


def reasons(facts: dict[str, Any]) -> list[str]:
    """Why a message has not gone, a line each, in words."""
    return [
        plain(one["explanation"]) + (f" ({distance(moment(one['until']))})" if one["until"] else "")
        for one in facts["reasons"] or []
    ]
