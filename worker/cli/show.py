"""How results look: tables and times for people, one object for scripts."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.moments import moment_of

AsJson = Annotated[bool, typer.Option("--json", help="JSON for a script.")]
InOrganization = Annotated[UUID | None, typer.Option("--org", metavar="UUID", help="Of this organisation alone.")]

_STYLES = {
    **dict.fromkeys(("connected", "sent", "delivered", "read"), "green"),
    **dict.fromkeys(
        ("connecting", "qr pending", "pending", "sending", "paused", "in doubt", "disconnected"), "yellow"
    ),
    **dict.fromkeys(("failed", "error", "banned", "logged out", "stuck"), "red"),
}


#: Headings of columns that are never folded, columns between two columns, and how narrow a folded column gets.
_WHOLE, _GAP, _LEAST = ("state", "status"), 2, 4


def console() -> Console:
    """Where results go."""
    return Console(highlight=False, markup=False)  # a name may have [brackets]


def print_json(answer: Any) -> None:
    """Print what a script reads; ids and times as text."""
    print(json.dumps(answer, indent=2, ensure_ascii=False, default=str))


def plain(text: str) -> str:
    """Show what a tenant wrote without escape sequences and direction marks, which a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


class _PlainTable(Table):
    """A table whose cells are shown as they are."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*(plain(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def table(*headings: str) -> Table:
    """Make a table without lines, its headings dim; a heading that begins with > has figures below it.

    The first column keeps its width, so that an id can be copied.
    """
    made = _PlainTable(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    for position, heading in enumerate(headings):
        side: Literal["left", "right"] = "right" if heading.startswith(">") else "left"
        made.add_column(heading.lstrip(">"), justify=side, overflow="fold", no_wrap=position == 0)
    return made


def fitted(made: Table, width: int | None = None) -> Table:
    """Set the widths of columns so that no heading, figure or status is broken; names and ids are folded instead.

    width: of the terminal, by default of ours.
    """
    room = (width or console().width) - _GAP * (len(made.columns) - 1)
    cells = [max((cell_len(str(cell)) for cell in column.cells), default=0) for column in made.columns]
    headings = [str(column.header) for column in made.columns]
    if sum(max(cell, len(heading)) for cell, heading in zip(cells, headings, strict=True)) <= room:
        return made
    least = [max(map(len, heading.split()), default=0) for heading in headings]
    wanted = [max(pair) for pair in zip(cells, least, strict=True)]
    missing = sum(wanted) - room
    if missing > 0:
        made.padding = (0, 1, 0, 0)
        missing -= (_GAP - 1) * (len(wanted) - 1)
    folded = [
        n
        for n, column in enumerate(made.columns)
        if n and column.justify != "right" and column.header not in _WHOLE
    ]
    while missing > 0 and folded:
        widest = max(folded, key=lambda n: wanted[n])
        if wanted[widest] <= max(_LEAST, least[widest]):
            folded.remove(widest)
            continue
        wanted[widest] -= 1
        missing -= 1
    for column, found in zip(made.columns, wanted, strict=True):
        column.width = found
    return made


def status(name: str) -> Text:
    """A status in its colour, its underscores as spaces."""
    words = name.replace("_", " ")
    return Text(words, _STYLES.get(words, ""))


def moment(text: str | None) -> datetime | None:
    """The database's time."""
    return moment_of(text) if text else None


def local_time(text: str) -> str:
    """Give a time of the database as the operator's clock shows it, with the day if that is another."""
    at = moment_of(text).astimezone()
    return f"{at:%H:%M}" if at.date() == datetime.now().astimezone().date() else f"{at:%Y-%m-%d %H:%M}"


def distance(at: datetime | None, now: datetime | None = None) -> str:
    """How far away a time is, in the largest unit that fits: "3 min ago", "in 2 h"."""
    if at is None:
        return ""
    seconds = (at - (now or datetime.now(UTC))).total_seconds()
    words = span(abs(seconds))
    return f"in {words}" if seconds > 0 else f"{words} ago"


def span(seconds: float) -> str:
    """A length of time in the largest unit that fits."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size or (unit == "min" and seconds >= size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def count(number: int | None) -> str:
    """A figure; nothing for zero, so that other figures stand out."""
    return f"{number:,}" if number else ""


def recipient(message: dict[str, Any]) -> str:
    """Who gets a message, as far as it is shown."""
    return f"group {message['group_id'][:8]}" if message["group_id"] else message["phone"] or "?"
