"""Each account is served by its provider's factory; one without a factory is given back with words."""

import asyncio
from dataclasses import replace

import pytest

from tests.unit.supervised import HELD, Account, Scene
from worker.session import ProviderName, SessionStatus
from worker.sessions.supervisor import UNKNOWN_PROVIDER


async def test_a_factory_hears_how_long_its_sessions_are_ours() -> None:
    scene = await Scene.serving(Account())
    await scene.supervisor.heartbeat()
    assert [list(deadlines) for deadlines in scene.extended] == [[], [HELD.session_id]]


@pytest.mark.parametrize("provider", [ProviderName.CLOUD, ProviderName.UNKNOWN])
async def test_an_account_of_another_provider_is_given_back_with_words(provider: ProviderName) -> None:
    scene, theirs = Scene(Account()), replace(HELD, provider=provider)
    released = asyncio.Event()
    scene.calls.leases.heartbeat.return_value = [theirs]
    scene.calls.leases.release.side_effect = lambda _: released.set()
    await scene.supervisor.heartbeat()
    async with asyncio.timeout(2):
        await released.wait()
    scene.calls.leases.report.assert_awaited_once_with(
        theirs, status=SessionStatus.ERROR, last_error=UNKNOWN_PROVIDER
    )
    scene.calls.make.assert_not_called()
