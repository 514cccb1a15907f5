"""``herald watch``: accounts, queue and rate as they change; lines where there is no terminal."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from worker.cli.connection import operations
from worker.cli.sessions import accounts_table, workers_table
from worker.cli.show import InOrganization, console, distance, moment
from worker.errors import StoreError
from worker.supabase.operations import Operations

#: The rate is averaged over this many seconds.
_RATE_SECONDS = 60.0

_FIGURES = ("due", "pending", "sending", "stuck", "in_doubt")


def watch(
    organization: InOrganization = None,
    every: Annotated[float, typer.Option(min=0.2, metavar="SECONDS", help="How often to look.")] = 2,
    looks: Annotated[int, typer.Option("--count", min=0, help="How many times to look; 0: until Ctrl-C.")] = 0,
) -> None:
    """Watch the accounts, the queue and how much is sent. Ctrl-C ends it.

    On a terminal it is a screen that refreshes; otherwise a line for each look and for each account that changes.
    """
    try:
        asyncio.run(_watch(organization, every, looks))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@dataclass(slots=True)
class _Rate:
    """Messages a minute, computed from each account's count of the last 24 hours."""

    seen: deque[tuple[float, dict[str, int]]] = field(default_factory=deque)

    def after(self, sessions: list[dict[str, Any]]) -> float:
        now, sent = time.monotonic(), {one["id"]: int(one["sent"]) for one in sessions}
        self.seen.append((now, sent))
        while len(self.seen) > 2 and now - self.seen[0][0] > _RATE_SECONDS:
            self.seen.popleft()
        since, before = self.seen[0]
        if now == since:
            return 0.0
        # What an account sent a day ago drops out of its count, ten minutes' worth at once.
        more = sum(max(many - before.get(account, many), 0) for account, many in sent.items())
        return more / (now - since) * 60


async def _overviews(
    asked: Operations, organization: UUID | None, every: float, looks: int
) -> AsyncIterator[dict[str, Any] | StoreError]:
    """Yield the overview again and again; while Supabase is away, say so."""
    look = 0
    while True:
        try:
            yield await asked.overview(organization)
        except StoreError as away:
            yield away
        look += 1
        if look == looks:
            return
        await asyncio.sleep(every)


async def _watch(organization: UUID | None, every: float, looks: int) -> None:
    out, rate = console(), _Rate()
    async with operations() as asked:
        overviews = _overviews(asked, organization, every, looks)
        if not out.is_terminal:
            await _lines(overviews, rate)
            return
        with Live(console=out, screen=not looks, auto_refresh=False) as live:
            async for found in overviews:
                live.update(_screen(found, rate), refresh=True)


def _screen(found: dict[str, Any] | StoreError, rate: _Rate) -> Group | Text:
    if isinstance(found, StoreError):
        return Text(f"{found}. Trying again; Ctrl-C ends.", "red")
    figures = _figures(found)
    queue = Text.assemble(
        (f"{datetime.now().astimezone():%H:%M:%S}  ", "dim"),
        (f"{rate.after(found['sessions']):.0f} a minute", "bold green"),
        f"  {figures['due']} due, {figures['pending']} waiting, {figures['sending']} sending",
        (f"  {figures['stuck']} stuck", "red" if figures["stuck"] else "dim"),
        (f"  {figures['in_doubt']} in doubt", "yellow" if figures["in_doubt"] else "dim"),
        f"  oldest due {distance(_oldest(found), moment(found['now']))}" if _oldest(found) else "",
    )
    nothing = Text("No account yet.")
    accounts = accounts_table(found["sessions"]) if found["sessions"] else nothing
    return Group(queue, Text(), accounts, Text(), workers_table(found["workers"]))


async def _lines(overviews: AsyncIterator[dict[str, Any] | StoreError], rate: _Rate) -> None:
    known: dict[str, str] = {}
    async for found in overviews:
        at = f"{datetime.now().astimezone():%H:%M:%S}"
        if isinstance(found, StoreError):
            print(f"{at} {found}", flush=True)
            continue
        for one in found["sessions"]:
            if known.get(one["id"], one["status"]) != one["status"]:
                print(f"{at} account {one['id']} {known[one['id']]} → {one['status']}", flush=True)
            known[one["id"]] = one["status"]
        figures = " ".join(f"{name}={many}" for name, many in _figures(found).items())
        connected = sum(one["status"] == "connected" for one in found["sessions"])
        print(
            f"{at} {figures} accounts={connected}/{len(found['sessions'])}"
            f" workers={sum(one['seconds'] < 20 for one in found['workers'])}"
            f" per_minute={rate.after(found['sessions']):.0f}",
            flush=True,
        )


def _figures(found: dict[str, Any]) -> dict[str, int]:
    return {name: sum(one[name] for one in found["organizations"]) for name in _FIGURES}


def _oldest(found: dict[str, Any]) -> datetime | None:
    times = [at for one in found["organizations"] if (at := moment(one["oldest_due_at"]))]
    return min(times, default=None)
