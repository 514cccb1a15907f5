"""A reconnection closes an account in order, opens it at once, and never keeps a stop from handing it over."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock, call
from uuid import uuid4

import pytest

from worker.errors import HeraldError
from worker.session import SessionStatus
from worker.sessions.live_session import LiveSession
from worker.sessions.supervisor import Supervisor

HELD: Any = SimpleNamespace(session_id=uuid4(), status=SessionStatus.CONNECTED)


class Scene:
    """A supervisor that serves one account, and every call that it makes, in order."""

    def __init__(self, folder: Path) -> None:
        self.calls = AsyncMock()
        self.supervisor = Supervisor(
            registry=self.calls.registry,
            outbox=AsyncMock(),
            transport=self.calls.transport,
            ledger=self.calls.ledger,
            keyring=AsyncMock(),
            state_dir=folder,
            capacity=1,
            qr_window=1.0,
            wake=lambda: None,
        )
        account: Any = SimpleNamespace(ending=False, held=HELD, close=self.calls.close)
        self.account = self.supervisor._sessions[HELD.session_id] = account
        self.supervisor._leases[HELD.session_id] = Mock()
        self.supervisor._start = self.calls.start = Mock()  # type: ignore[method-assign]

    async def reconnect(self) -> None:
        await self.supervisor.reconnect(HELD.session_id)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_nothing_is_claimed_and_what_is_in_flight_is_settled_before_it_closes(scene: Scene) -> None:
    await scene.reconnect()
    assert scene.calls.mock_calls == [
        call.registry.report(HELD, status=SessionStatus.CONNECTING),
        call.ledger.until_settled(HELD.session_id, 10.0),
        call.close(),
        call.start(HELD),
    ]


async def test_it_is_begun_anew_also_if_the_database_or_the_engine_refuses(scene: Scene) -> None:
    scene.calls.registry.report.side_effect = scene.calls.close.side_effect = HeraldError("away")
    await scene.reconnect()
    scene.calls.start.assert_called_once_with(HELD)


async def test_whoever_asked_may_give_up_and_it_is_begun_anew_all_the_same(scene: Scene) -> None:
    closing, closed, begun = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def close() -> None:
        closing.set()
        await closed.wait()

    scene.calls.close.side_effect = close
    scene.calls.start.side_effect = lambda _: begun.set()
    asked = asyncio.create_task(scene.reconnect())
    await closing.wait()
    asked.cancel()
    closed.set()
    async with asyncio.timeout(2):
        await begun.wait()


async def test_a_stop_meanwhile_hands_it_over_instead(scene: Scene) -> None:
    closing, closed = asyncio.Event(), asyncio.Event()

    async def close() -> None:
        closing.set()
        await closed.wait()

    scene.calls.close.side_effect = close
    asked = asyncio.create_task(scene.reconnect())
    await closing.wait()
    stopping = asyncio.create_task(scene.supervisor.stop())
    await asyncio.sleep(0)
    closed.set()
    async with asyncio.timeout(2):
        await asyncio.gather(asked, stopping)
    scene.calls.start.assert_not_called()
    scene.calls.registry.release.assert_awaited_once_with(HELD)


async def test_an_account_that_was_lost_meanwhile_is_left_alone(scene: Scene) -> None:
    scene.calls.close.side_effect = scene.supervisor._leases.clear
    await scene.reconnect()
    scene.calls.start.assert_not_called()


async def test_an_account_that_ends_or_is_not_served_is_refused(scene: Scene) -> None:
    scene.account.ending = True
    with pytest.raises(HeraldError, match="not being served"):
        await scene.reconnect()
    with pytest.raises(HeraldError, match="not being served"):
        await scene.supervisor.reconnect(uuid4())


async def test_closing_reaches_a_connection_whose_opening_was_cut_off() -> None:
    """Its engine opens it all the same: left there, it could never be opened again."""
    opening, transport = asyncio.Event(), AsyncMock()

    async def never_opens(*_: object) -> None:
        opening.set()
        await asyncio.Event().wait()

    transport.open.side_effect = never_opens
    session = LiveSession(
        HELD,
        lease=Mock(),
        store=AsyncMock(),
        registry=AsyncMock(),
        outbox=AsyncMock(),
        transport=transport,
        ledger=AsyncMock(),
        wake=lambda: None,
        qr_window=1.0,
        rng=Mock(),
    )
    running = asyncio.create_task(session.run())
    await opening.wait()
    running.cancel()
    await asyncio.wait([running])
    await session.close()
    transport.close.assert_awaited_once_with(HELD.session_id)
