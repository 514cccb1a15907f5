"""A reconnection closes an account in order, opens it at once, and never keeps a stop from handing it over."""

import asyncio
from unittest.mock import AsyncMock, Mock, call
from uuid import uuid4

import pytest

from tests.unit.supervised import HELD, Account, Scene
from worker.errors import HeraldError
from worker.session import SessionStatus
from worker.sessions.live_session import LiveSession


@pytest.fixture
async def scene() -> Scene:
    return await Scene.serving(Account())


async def test_nothing_is_claimed_and_what_is_in_flight_is_settled_before_it_closes(scene: Scene) -> None:
    await scene.supervisor.reconnect(HELD.session_id)
    assert scene.calls.mock_calls == [
        call.leases.report(HELD, status=SessionStatus.CONNECTING),
        call.ledger.until_settled(HELD.session_id, 10.0),
        call.close(),
        call.make(HELD),
    ]


async def test_it_is_begun_anew_also_if_the_database_or_the_engine_refuses(scene: Scene) -> None:
    scene.calls.leases.report.side_effect = scene.calls.close.side_effect = HeraldError("away")
    await scene.supervisor.reconnect(HELD.session_id)
    scene.calls.make.assert_called_once_with(HELD)


async def test_whoever_asked_may_give_up_and_it_is_begun_anew_all_the_same(scene: Scene) -> None:
    closing, closed, begun = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def close() -> None:
        closing.set()
        await closed.wait()

    scene.calls.close.side_effect = close
    scene.made = begun.set
    asked = asyncio.create_task(scene.supervisor.reconnect(HELD.session_id))
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
    asked = asyncio.create_task(scene.supervisor.reconnect(HELD.session_id))
    await closing.wait()
    stopping = asyncio.create_task(scene.supervisor.stop())
    await asyncio.sleep(0)
    closed.set()
    async with asyncio.timeout(2):
        await asyncio.gather(asked, stopping)
    scene.calls.make.assert_not_called()
    scene.calls.leases.release.assert_awaited_once_with(HELD)


async def test_an_account_that_was_lost_meanwhile_is_left_alone(scene: Scene) -> None:
    async def close() -> None:
        scene.calls.leases.heartbeat.return_value = []
        await scene.supervisor.heartbeat()

    scene.calls.close.side_effect = close
    await scene.supervisor.reconnect(HELD.session_id)
    scene.calls.make.assert_not_called()


async def test_an_account_that_ends_or_is_not_served_is_refused() -> None:
    scene = await Scene.serving(Account(ending=True))
    with pytest.raises(HeraldError, match="not being served"):
        await scene.supervisor.reconnect(HELD.session_id)
    with pytest.raises(HeraldError, match="not being served"):
        await scene.supervisor.reconnect(uuid4())


async def test_closing_reaches_a_connection_whose_opening_was_cut_off() -> None:
    """Its engine opens it all the same: left there, it could never be opened again."""
    opening, accounts = asyncio.Event(), AsyncMock()

    async def never_opens(*_: object) -> None:
        opening.set()
        await asyncio.Event().wait()

    accounts.open.side_effect = never_opens
    session = LiveSession(
        HELD,
        lease=Mock(),
        store=AsyncMock(),
        leases=AsyncMock(),
        accounts=accounts,
        adoption=AsyncMock(),
        groups=Mock(commands={}),
        wake=lambda: None,
        qr_window=1.0,
        rng=Mock(),
    )
    running = asyncio.create_task(session.run())
    await opening.wait()
    running.cancel()
    await asyncio.wait([running])
    await session.close()
    accounts.close.assert_awaited_once_with(HELD.session_id)
