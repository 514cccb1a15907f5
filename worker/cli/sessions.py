"""``herald sessions``: the linked accounts, who holds them, how they are; connect, pause and the like."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

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
    local_time,
    moment,
    print_json,
    span,
    status,
    table,
)
from worker.errors import CommandRefused

sessions = typer.Typer(
    invoke_without_command=True, help="The linked accounts: who holds which, how they are; connect, pause, resume."
)

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id, or how that begins (four characters).")]


@sessions.callback()
def listing(context: typer.Context, organization: InOrganization = None, as_json: AsJson = False) -> None:
    """List the accounts and the workers that hold them."""
    if context.invoked_subcommand is None:
        asyncio.run(_list(organization, as_json=as_json))


@sessions.command()
def show(account: Account, as_json: AsJson = False) -> None:
    """Show all that is known of one account."""
    asyncio.run(_show(account, as_json=as_json))


@sessions.command()
def connect(account: Account) -> None:
    """Have it connected. One that is not linked shows its QR code in the CRM."""
    asyncio.run(
        _change(account, {"desired_state": "connected"}, "is to be connected; herald watch shows how it goes")
    )


@sessions.command()
def disconnect(account: Account) -> None:
    """Close its connection and leave it linked; its messages wait."""
    asyncio.run(_change(account, {"desired_state": "disconnected"}, "is to be disconnected; its messages wait"))


@sessions.command()
def logout(
    account: Account,
    sure: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Unlink it from the phone: it has to be scanned again."""
    if not sure:
        typer.confirm("The phone will have to scan a QR code again. Unlink it?", abort=True, err=True)
    asyncio.run(_change(account, {"desired_state": "logged_out"}, "is to be unlinked"))


@sessions.command()
def pause(
    account: Account,
    minutes: Annotated[
        float, typer.Option("--for", min=1, max=5_256_000, metavar="MINUTES", help="How long.")
    ] = 60,
    reason: Annotated[str, typer.Option(help="What the organisation reads.")] = "Paused by the operator.",
) -> None:
    """Hold its messages back for a while; it stays connected."""
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    change = {"paused_until": until.isoformat(timespec="seconds"), "pause_reason": reason}
    asyncio.run(_change(account, change, f"sends nothing until {until.astimezone():%H:%M}"))


@sessions.command()
def resume(account: Account) -> None:
    """Let it send again at once."""
    asyncio.run(_change(account, {"paused_until": None, "pause_reason": None}, "sends again"))


async def _change(account: str, change: dict[str, Any], words: str) -> None:
    async with operations() as asked:
        changed = await asked.change_session(account, change)
    print(f"{changed['id']} {words}.")


async def _list(organization: Any, *, as_json: bool) -> None:
    async with operations() as asked:
        found = await asked.overview(organization)
    if as_json:
        print_json({"workers": found["workers"], "sessions": found["sessions"]})
        return
    out = console()
    if found["sessions"]:
        out.print(accounts_table(found["sessions"]))
    else:
        out.print("No account yet: link one in the CRM.")
    out.print()
    if found["workers"]:
        out.print(workers_table(found["workers"]))
    else:
        out.print("No worker has ever started here: pm2 start ecosystem.config.js")


def accounts_table(accounts: list[dict[str, Any]], width: int | None = None) -> Table:
    """Make a table of accounts: a line each."""
    figures = (">health", ">due", ">waiting", ">in doubt")
    shown = table("account", "org", "name", "state", "held by", *figures)
    for one in accounts:
        shown.add_row(
            *(one["id"][:8], one["organization_id"][:8], one["name"] or one["phone"] or "", state(one)),
            Text(one["worker"] or "nobody", "" if one["worker"] or not _wanted(one) else "red"),
            *(str(one["health"]), count(one["due"]), count(one["waiting"]), count(one["in_doubt"])),
        )
    return fitted(shown, width)


def workers_table(workers: list[dict[str, Any]], width: int | None = None) -> Table:
    """Make a table of workers: a line each."""
    shown = table("worker", ">accounts", "last seen", "started", "version")
    for one in workers:
        shown.add_row(
            *(one["worker_id"], str(one["sessions"])),
            Text(f"{span(one['seconds'])} ago", "" if one["seconds"] < 20 else "red"),
            *(distance(moment(one["started_at"])), one["version"]),
        )
    return fitted(shown, width)


def _wanted(one: dict[str, Any]) -> bool:
    return bool(one["enabled"]) and one["desired_state"] == "connected"


def state(one: dict[str, Any]) -> Text:
    """The account's status, and what else decides whether it sends."""
    said = status(one["status"])
    if not one["enabled"]:
        said.append(", disabled", "dim")
    elif one["desired_state"] != "connected":
        said.append(f", {one['desired_state'].replace('_', ' ')} is wanted" if one["worker"] else "", "dim")
    if one["paused_until"]:
        said.append(f", paused until {local_time(one['paused_until'])}", "yellow")
    return said


async def _show(account: str, *, as_json: bool) -> None:
    async with operations() as asked:
        found = (await asked.overview())["sessions"]
    fits = [one for one in found if one["id"].startswith(account.lower())]
    if len(fits) != 1 or len(account) < 4:
        raise CommandRefused("No account, or more than one, has an id that begins so: herald sessions lists them.")
    one = fits[0]
    if as_json:
        print_json(one)
        return
    facts = table("", "")
    facts.show_header = False
    holder = (
        f"{one['worker']}, for {one['lease_seconds']:.0f} s more unless renewed" if one["worker"] else "nobody"
    )
    limits = f"{one['sent']} of {one['daily_limit']} in 24 hours"
    queue = f"{one['due'] or 0} due, {one['waiting'] or 0} waiting, {one['in_doubt'] or 0} in doubt"
    for name, value in {
        "account": one["id"],
        "organisation": one["organization_id"],
        "name": one["name"],
        "number": one["phone"],
        "provider": one["provider"],
        "state": state(one),
        "last error": one["last_error"],
        "connected": distance(moment(one["connected_at"])) if one["status"] == "connected" else None,
        "held by": holder,
        "pause": one["pause_reason"],
        "health": f"{one['health']}" + "".join(f", {why}" for why in one["health_reasons"] or []),
        "sent": limits,
        "queue": queue,
    }.items():
        if value:
            facts.add_row(Text(name, "dim"), value)
    console().print(facts)
