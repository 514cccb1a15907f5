"""The one shape of every measuring script: bars with limits, as a table for a person or as one JSON object."""

import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from localstack.layout import REPOSITORY


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure and its limit; ok None: these arguments don't show it."""

    name: str
    value: float | int | None
    unit: str
    limit: str
    ok: bool | None


@dataclass(slots=True)
class Report:
    """Collects bars while a script runs; ``finish`` prints it and gives the exit code."""

    name: str
    as_json: bool
    bars: list[Bar] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Progress for a person, on standard error, with the seconds so far."""
        sys.stderr.write(f"{time.monotonic() - self.started:6.1f} s  {text}\n")
        sys.stderr.flush()

    def bar(
        self, name: str, value: float | int | None, unit: str, relation: Literal["<=", ">=", "=="], limit: float
    ) -> None:
        """Add a figure that must keep to a limit; value None means not shown by this run."""
        ok: bool | None = None
        if value is not None:
            ok = {"<=": value <= limit, ">=": value >= limit, "==": value == limit}[relation]
        self.bars.append(Bar(name, value, unit, f"{relation} {limit:g}", ok))

    def note(self, name: str, value: float | int | None, unit: str) -> None:
        """Add a figure that has no limit."""
        self.bars.append(Bar(name, value, unit, "", None))

    def finish(self) -> int:
        """Print the table or the object; 0 if every bar that was shown holds."""
        ok = bool(self.bars) and all(bar.ok is not False for bar in self.bars)
        if self.as_json:
            summary = {
                "name": self.name,
                "ok": ok,
                "bars": [asdict(bar) for bar in self.bars],
                "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
                f"Python {platform.python_version()}",
                "commit": _commit(),
                "seconds": round(time.monotonic() - self.started, 1),
                **self.extra,
            }
            sys.stdout.write(json.dumps(summary) + "\n")
        else:
            self._table(ok)
        return 0 if ok else 1

    def _table(self, ok: bool) -> None:
        table = Table(title=f"{self.name}: {'all bars hold' if ok else 'a bar does not hold'}")
        for heading in ("what", "figure", "limit", ""):
            table.add_column(heading, justify="left" if heading == "what" else "right")
        for bar in self.bars:
            figure = "not shown" if bar.value is None else f"{bar.value:g} {bar.unit}"
            table.add_row(bar.name, figure, bar.limit, {True: "✓", False: "✗", None: "–"}[bar.ok])
        Console().print(table)


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run a script to its exit code; SIGTERM and Ctrl-C end it in order, with everything that it started."""

    async def stoppable() -> int:
        task = asyncio.current_task()
        assert task
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await main

    try:
        return asyncio.run(stoppable())
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


def percentile(values: list[float], share: float) -> float | None:
    """The value below which this share of the values lies; None of nothing."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else None


def rounded(value: float | None) -> float | None:
    """Two decimals."""
    return None if value is None else round(value, 2)


def _commit() -> str:
    found = subprocess.run(
        ["git", "-c", "safe.directory=*", "rev-parse", "--short", "HEAD"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"
