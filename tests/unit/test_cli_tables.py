"""The tables of the herald command, on a terminal of 80 columns."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from worker.cli.queue import queues_table
from worker.cli.sessions import accounts_table, workers_table
from worker.cli.show import console

ID = "7b0f3d1e-5f6c-4a52-9a0f-6f8f5f4f3e21"


def account(**facts: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "organization_id": ID,
        "name": "Front desk of the pottery",
        "phone": "…78",
        "status": "connected",
        "enabled": True,
        "desired_state": "connected",
        "paused_until": None,
        "worker": "vps-frankfurt-2",
        "health": 100,
        "due": 120,
        "waiting": 12_345,
        "in_doubt": 12,
    } | facts


QUEUE = {
    "organization_id": ID,
    "due": 12_345,
    "oldest_due_at": "2026-12-01T04:00:00+00:00",
    "pending": 1_234_567,
    "sending": 1_000,
    "stuck": 12,
    "in_doubt": 123,
    "accounts_connected": 10,
    "accounts": 12,
}
WORKER = {
    "worker_id": "vps-frankfurt-2",
    "sessions": 100,
    "seconds": 3.0,
    "started_at": datetime(2026, 12, 1, tzinfo=UTC).isoformat(),
    "version": "0.1.0",
}

TABLES: dict[str, Table] = {
    "accounts": accounts_table(
        [account(), account(status="disconnected", worker=None), account(status="qr_pending")], 80
    ),
    "workers": workers_table([WORKER], 80),
    "queues": queues_table({"now": "2026-12-01T05:00:00+00:00", "organizations": [QUEUE]}, 80),
}


def printed(table: Table) -> list[str]:
    """The lines on a terminal of 80 columns."""
    file = StringIO()
    Console(file=file, width=80, highlight=False).print(table)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("name", TABLES)
def test_no_heading_is_broken_in_two(name: str) -> None:
    lines = printed(TABLES[name])
    words = {word for line in lines for word in line.split()}
    for column in TABLES[name].columns:
        assert set(str(column.header).split()) <= words, lines
    assert max(map(len, lines)) <= 80, lines


def test_no_status_and_no_figure_is_broken_in_two() -> None:
    words = {word for name in TABLES for line in printed(TABLES[name]) for word in line.split()}
    assert {"connected", "disconnected", "12,345", "1,234,567", "7b0f3d1e"} <= words


@pytest.mark.parametrize("name", ["[/red]", "[bold", "[link=x]y[/link]", "{{a}}", "\N{KNOT}" * 200])
def test_a_name_is_shown_as_it_is(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Square brackets are markup to the library of the tables; a name may have them."""
    monkeypatch.setenv("COLUMNS", "500")
    console().print(accounts_table([account(name=name, paused_until="infinity", last_error=name)], 500))
    assert name[:20] in capsys.readouterr().out


def test_a_terminal_obeys_nothing_that_a_name_says(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(accounts_table([account(name="a\x1b[2Jb\u202ec\x07d\ne")], 80))
    said = capsys.readouterr().out
    assert "a�[2Jb�c�d�e" in said
    assert "\x1b[2J" not in said
