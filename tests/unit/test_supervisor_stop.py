"""A stop ends, whatever an account is doing."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest

from worker.sessions import supervisor


async def test_an_account_that_should_end_and_goes_on_instead_is_handed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its row could not be written, so that it began again: it is connected, and never ends by itself."""
    monkeypatch.setattr(supervisor, "DRAIN_SECONDS", 0.05)
    registry, ledger, account, asked = AsyncMock(), AsyncMock(), uuid4(), asyncio.Event()
    ledger.until_settled.side_effect = lambda *_: asked.set()
    stopping = supervisor.Supervisor(
        registry=registry,
        outbox=AsyncMock(),
        transport=AsyncMock(),
        ledger=ledger,
        keyring=AsyncMock(),
        state_dir=tmp_path,
        capacity=1,
        qr_window=1.0,
        wake=lambda: None,
    )
    held = SimpleNamespace(session_id=account)
    ending: Any = SimpleNamespace(ending=True, held=held, close=AsyncMock())
    again: Any = SimpleNamespace(ending=False, held=held, close=AsyncMock())

    async def go_on() -> None:
        await asked.wait()
        stopping._sessions[account] = again
        await asyncio.Event().wait()

    stopping._sessions[account] = ending
    stopping._runs[account] = asyncio.create_task(go_on())
    async with asyncio.timeout(2):
        await stopping.stop()
    again.close.assert_awaited_once()
    registry.release.assert_awaited_once_with(held)
