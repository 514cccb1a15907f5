"""``herald doctor``: is everything that the worker needs as it should be, and if not, what to do?"""

import asyncio
import json
import os
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.doctor.examination import NAMES, Examination, Seen
from worker.doctor.finding import Case, Finding, Severity
from worker.doctor.outbound import WHATSAPP
from worker.errors import SettingsError
from worker.logs import configure_logs

_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.OPTIONAL: "dim"}

#: How many findings of one topic are shown; the rest is counted.
_SHOWN = 5

_LOOKS = ", ".join(NAMES)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for a script.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"Check only this: {_LOOKS}. May be repeated.")] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Leave this check out. May be repeated.")] = None,
    reach: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:PORT",
            envvar="HERALD_REACH",
            help=f"A host that must be reachable; by default {', '.join(WHATSAPP)}.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every finding, not only the first five of a topic.")
    ] = False,
) -> None:
    """Check settings, keys, machine, database and network; say what is wrong and how to fix it.

    Run it where the worker runs, as its user and with its environment. It changes nothing. Exit code 0: nothing
    is wrong (optional things do not count); 1: something is wrong or was not checked; 2: a setting is wrong.
    """
    wanted = [name for name in _known(only or list(NAMES)) if name not in _known(skip or [])]
    configure_logs("CRITICAL")  # what goes wrong is a finding
    case = Case(environ=os.environ, hosts=tuple(reach or WHATSAPP))
    raise typer.Exit(asyncio.run(_examine(Examination(case, wanted), as_json=as_json, everything=everything)))


def _known(names: list[str]) -> list[str]:
    for name in names:
        if name not in NAMES:
            raise SettingsError(f"doctor has no look called {name!r}: {_LOOKS}")
    return names


async def _examine(examination: Examination, *, as_json: bool, everything: bool) -> int:
    console, seen = Console(highlight=False), []
    progress = Console(stderr=True)
    with progress.status("") as status:
        async for one in examination.run():
            seen.append(one)
            status.update(f"after {one.name}")
            if not as_json:
                _show(console, one, len(one.findings) if everything else _SHOWN)
    counts = Counter(found.severity for one in seen for found in one.findings)
    if as_json:
        print(json.dumps(_as_json(seen), indent=2))
    else:
        console.print(_verdict(counts))
    wrong_settings = any(
        found.severity is Severity.ERROR for one in seen if one.name == "settings" for found in one.findings
    )
    return 2 if wrong_settings else 0 if _is_well(seen) else 1


def _is_well(seen: list[Seen]) -> bool:
    """Whether everything was checked and nothing is wrong."""
    return not any(one.waits_for or one.worst in (Severity.ERROR, Severity.WARNING) for one in seen)


def _show(console: Console, seen: Seen, most: int) -> None:
    if seen.waits_for:
        console.print(Text(f"   –     {seen.name}: not checked, because it needs the {seen.waits_for}", "dim"))
    elif seen.worst in (None, Severity.OPTIONAL):
        console.print(Text.assemble(("   ok    ", "green"), seen.name))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", width=8)
    table.add_column(overflow="fold")
    topics = Counter[str]()
    for found in seen.findings:
        topics[found.topic] += 1
        if topics[found.topic] <= most:
            _add(table, found)
    for topic, count in topics.items():
        if count > most:
            table.add_row("", Text(f"{topic}: and {count - most} more (herald doctor --all shows them)", "dim"))
    if seen.findings:
        console.print(table)


def _add(table: Table, found: Finding) -> None:
    what = Text.assemble((f"{found.topic}: ", "bold"), found.what)
    table.add_row(
        Text("–  " if found.severity is Severity.OPTIONAL else found.severity, _STYLE[found.severity]), what
    )
    table.add_row("", Text.assemble(("→ ", "cyan"), (found.fix, "cyan")))


def _verdict(counts: Counter[Severity]) -> Text:
    told = [
        f"{counts[s]} {s}{'s' if counts[s] > 1 else ''}" for s in (Severity.ERROR, Severity.WARNING) if counts[s]
    ]
    if not told:
        return Text("\nAll is well.", "green")
    return Text(f"\n{', '.join(told)}. Fix them, then run herald doctor again.", "bold")


def _as_json(seen: list[Seen]) -> dict[str, object]:
    return {
        "ok": _is_well(seen),
        "looks": {one.name: "skipped" if one.waits_for else one.worst or "ok" for one in seen},
        "findings": [{"look": one.name, **asdict(found)} for one in seen for found in one.findings],
    }
