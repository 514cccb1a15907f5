"""A stop ends, whatever an account is doing."""

import asyncio

import pytest

from tests.unit.supervised import HELD, Account, Scene
from worker.errors import HeraldError
from worker.sessions import supervisor


async def test_an_account_that_should_end_and_goes_on_instead_is_handed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its row could not be written, so that it began again: it is connected, and never ends by itself."""
    monkeypatch.setattr(supervisor, "DRAIN_SECONDS", 0.05)
    monkeypatch.setattr(supervisor, "RESTART_SECONDS", 0.0)
    asked, again = asyncio.Event(), asyncio.Event()

    async def begin_again() -> None:
        await asked.wait()
        raise HeraldError("its row could not be written")

    async def go_on() -> None:
        again.set()
        await asyncio.Event().wait()

    scene = await Scene.serving(Account(ending=True, run=begin_again), Account(run=go_on))
    scene.calls.ledger.until_settled.side_effect = lambda *_: asked.set()
    async with asyncio.timeout(2):
        await scene.supervisor.stop()
    assert again.is_set()
    scene.calls.close.assert_awaited_once()
    scene.calls.leases.release.assert_awaited_once_with(HELD)
