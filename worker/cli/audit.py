"""``herald audit``: who did what."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.text import Text

from worker.cli.connection import operations
from worker.cli.show import AsJson, InOrganization, console, fitted, print_json, table
from worker.moments import moment_of
from worker.supabase.operations import Operations

_EVERY = 2.0


def audit(
    organization: InOrganization = None,
    event: Annotated[
        str | None, typer.Option(metavar="NAME", help="How the event begins: session., message.retried …")
    ] = None,
    account: Annotated[str | None, typer.Option(metavar="ID", help="About this account alone.")] = None,
    hours: Annotated[
        float | None,
        typer.Option("--hours", min=0, max=87_600, metavar="HOURS", help="Only the last HOURS hours."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="How many rows, the newest.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Then go on as more comes; Ctrl-C ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show who did what, the oldest first. Of numbers there are the last two digits, of messages no text."""
    since = datetime.now(UTC) - timedelta(hours=hours) if hours is not None else None
    filters = {"organization": organization, "event": event, "account": account}
    try:
        asyncio.run(_audit(filters, since, limit, follow=follow, as_json=as_json))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _audit(
    filters: dict[str, Any], since: datetime | None, limit: int, *, follow: bool, as_json: bool
) -> None:
    async with operations() as asked:
        rows = await asked.audit(**filters, since=since, limit=limit)
        if as_json and not follow:
            print_json(rows)
            return
        _print(rows, as_json=as_json, heading=True)
        if not rows and not follow:
            console().print("Nothing of that kind is in the audit.")
        if follow:
            await _follow(asked, filters, rows, as_json=as_json)


async def _follow(
    asked: Operations, filters: dict[str, Any], rows: list[dict[str, Any]], *, as_json: bool
) -> None:
    """Show new rows, each once. A row may come some seconds late, because its transaction was still open."""
    known = {row["id"] for row in rows}
    newest = rows[-1]["id"] if rows else None
    begun = datetime.now(UTC)
    while True:
        await asyncio.sleep(_EVERY)
        after = UUID(newest) if newest else None
        found = await asked.audit(**filters, since=None if after else begun, after=after, limit=500)
        fresh = [row for row in found if row["id"] not in known]
        _print(fresh, as_json=as_json)
        known |= {row["id"] for row in fresh}
        newest = found[-1]["id"] if found else newest


def _print(rows: list[dict[str, Any]], *, as_json: bool, heading: bool = False) -> None:
    if as_json:
        for row in rows:
            print_json(row)
        return
    shown = table("when", "what", "who", "account", "details")
    shown.show_header = heading
    for row in rows:
        at = moment_of(row["created_at"]).astimezone()
        shown.add_row(
            *(f"{at:%m-%d %H:%M:%S}", row["event_type"], _who(row), (row["session_id"] or "")[:8]),
            Text(_details(row["event_data"]), "dim"),
        )
    if rows:
        console().print(fitted(shown))


def _who(row: dict[str, Any]) -> str:
    operator = row["event_data"].get("operator")
    return operator or (row["actor_id"] or "")[:8] or row["actor"]


def _details(data: dict[str, Any]) -> str:
    shown = {name: value for name, value in data.items() if name not in {"operator", "request_id"}}
    return " ".join(f"{name}={value}" for name, value in shown.items())
