"""What the loss of one engine process costs: its sessions come back without a QR, the others notice nothing."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulator.client import Recipient, Simulator
from simulator.faults import FaultKind
from tests.kit.phones import new_phone
from tests.kit.web_world import PATIENCE, WebWorld, web_world
from worker.events import Ended, SentFact
from worker.outcome import Accepted, Unavailable
from worker.providers.web.outcomes import after_death
from worker.providers.web.ports import Unsent
from worker.providers.web.shards import ShardLimits
from worker.session import Ending


@pytest.fixture
async def shards(simulator: Simulator, state_dir: Path) -> AsyncIterator[WebWorld]:
    """A world in which every session has an engine of its own."""
    async with web_world(simulator, state_dir, ShardLimits(sessions=1)) as made:
        yield made


def kill_newest(world: WebWorld) -> None:
    os.kill(list(world.provider.engine_pids)[-1], signal.SIGKILL)


async def test_a_killed_engine_touches_only_its_own_sessions(shards: WebWorld, asha: Recipient) -> None:
    survivor, victim = await shards.link(new_phone()), await shards.link(new_phone())
    kill_newest(shards)
    ended = await shards.events.expects(Ended)
    assert (ended.session_id, ended.ending, ended.retry) == (victim, Ending.ENGINE, True)
    late = shards.claim(victim, f"+{asha.phone}", "late")
    assert isinstance(await shards.provider.send(late), Unavailable)
    assert isinstance(await shards.provider.send(shards.claim(survivor, f"+{asha.phone}", "still here")), Accepted)
    again = await shards.open(victim)
    assert not again.newly_paired
    assert isinstance(await shards.provider.send(late), Accepted)
    await asha.expects("late")
    assert len(shards.events.all(Ended)) == 1


@pytest.mark.parametrize("fault", [FaultKind.STALL_PROCESSED, FaultKind.STALL_UNPROCESSED])
async def test_a_send_that_an_engine_died_with_is_in_doubt_under_its_id(
    shards: WebWorld, asha: Recipient, fault: FaultKind
) -> None:
    phone = new_phone()
    session = await shards.link(phone)
    await shards.simulator.fault(fault, phone, count=1)
    claim = shards.claim(session, f"+{asha.phone}", f"died with {fault}")
    sending = asyncio.create_task(shards.provider.send(claim))
    written = await shards.until_written(claim)
    kill_newest(shards)
    assert await asyncio.wait_for(sending, PATIENCE) == after_death(written)


async def test_a_send_that_an_engine_died_before_is_surely_unsent(shards: WebWorld, asha: Recipient) -> None:
    phone = new_phone()
    session = await shards.link(phone)
    await shards.simulator.fault(FaultKind.DELAY, phone, seconds=PATIENCE)
    claim = shards.claim(session, f"+{asha.phone}", "never left")
    sending = asyncio.create_task(shards.provider.send(claim))
    await asyncio.sleep(0)
    kill_newest(shards)
    assert await asyncio.wait_for(sending, PATIENCE) == after_death(Unsent())
    assert asha.times_received("never left") == 0


async def test_what_a_killed_engine_had_journalled_is_told_again(shards: WebWorld, asha: Recipient) -> None:
    session = await shards.link(new_phone())
    claim = shards.claim(session, f"+{asha.phone}", "journalled")
    assert isinstance(await shards.provider.send(claim), Accepted)
    kill_newest(shards)
    await shards.events.expects(Ended)
    await shards.open(session)
    again = await shards.events.expects(SentFact, lambda event: event.token == claim.token, times=2)
    assert again.session_id == session
    assert asha.times_received("journalled") == 1


async def test_engines_end_with_the_daemon_that_started_them(shards: WebWorld) -> None:
    phone = new_phone()
    await shards.link(phone)
    pids = list(shards.provider.engine_pids)
    await shards.provider.aclose()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    await shards.simulator.until_connected(phone, 0)
