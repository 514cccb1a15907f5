"""``herald keys``: the keys that seal the WhatsApp sessions in the database."""

import asyncio
import base64
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from worker.cli.connection import connected
from worker.errors import SettingsError
from worker.settings import is_key_id
from worker.supabase.records import SupabaseRecords
from worker.vault.keyring import Keyring
from worker.vault.rotation import Findings, check, rotate

keys = typer.Typer(no_args_is_help=True, help="The keys that seal the WhatsApp sessions in the database.")


@keys.command()
def new(key_id: Annotated[str, typer.Option("--id", help="Its name; by default today's date.")] = "") -> None:
    """Print a fresh key as an entry of ENCRYPTION_KEYS."""
    key_id = key_id or f"{datetime.now(UTC):%Y-%m-%d}"
    if not is_key_id(key_id):
        raise SettingsError("--id: 1 to 32 letters, digits, dots, dashes or underscores")
    print(f"{key_id}:{base64.b64encode(secrets.token_bytes(32)).decode()}")
    print(
        "Keep it with your secrets: without it every phone must be linked again. "
        "Put it first in ENCRYPTION_KEYS, before those that are there, on every worker.",
        file=sys.stderr,
    )


@keys.command(name="rotate")
def rotate_all() -> None:
    """Put every sealed session under the first of ENCRYPTION_KEYS, while workers run. May be repeated."""
    asyncio.run(_rotate())


@keys.command()
def status(
    open_all: Annotated[bool, typer.Option("--check", help="Open every record too, in memory.")] = False,
) -> None:
    """Say how many sealed sessions there are under each key."""
    asyncio.run(_status(open_all=open_all))


@asynccontextmanager
async def _database() -> AsyncIterator[tuple[SupabaseRecords, Keyring]]:
    async with connected() as (settings, database):
        yield SupabaseRecords(database), Keyring.from_settings(settings)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


async def _rotate() -> None:
    async with _database() as (records, keyring):
        counts = await records.keys()
        others = sum(counts.values()) - counts.get(keyring.active, 0)
        with _progress() as progress:
            bar = progress.add_task("Records under other keys", total=others)
            found = await rotate(records, keyring, lambda done: progress.update(bar, completed=done))
        left = {key_id: count for key_id, count in (await records.keys()).items() if key_id != keyring.active}
    print(f"{found.done} records are now under {keyring.active}.")
    if not left:
        older = ", ".join(keyring.ids[1:])
        print("0 records under other keys" + (f": {older} may be removed from ENCRYPTION_KEYS." if older else "."))
        return
    _tell_unreadable(found)
    written = sum(left.values()) - len(found.unreadable)
    if written > 0:
        print(
            f"{written} records were written under other keys meanwhile: "
            f"start every worker with {keyring.active} first in ENCRYPTION_KEYS, then rotate again."
        )
    print(f"{sum(left.values())} records under other keys: {_listed(left)}. Keep those keys.")
    raise typer.Exit(1)


async def _status(*, open_all: bool) -> None:
    async with _database() as (records, keyring):
        counts = await records.keys()
        found = Findings()
        if open_all:
            with _progress() as progress:
                bar = progress.add_task("Records that open", total=sum(counts.values()))
                found = await check(records, keyring, lambda done: progress.update(bar, completed=done))
    table = Table("key", "records", "")
    for key_id in sorted({*keyring.ids, *counts}, key=lambda one: (one != keyring.active, one)):
        remark = "not in ENCRYPTION_KEYS"
        if key_id in keyring.ids:
            remark = "seals new records" if key_id == keyring.active else ""
        table.add_row(key_id or "(unknown format)", str(counts.get(key_id, 0)), remark)
    Console().print(table)
    if open_all:
        print(f"{found.done} records open, {len(found.unreadable)} don't.")
    _tell_unreadable(found)
    if found.unreadable or counts.keys() - set(keyring.ids):
        raise typer.Exit(1)


def _tell_unreadable(found: Findings) -> None:
    for session, why in found.unreadable.items():
        print(f"session {session}: {why}")


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} under {key_id or 'an unknown format'}" for key_id, count in sorted(counts.items()))
