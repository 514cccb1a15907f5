"""What the loss of one engine process costs: its sessions come back without a QR, the others notice nothing."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from simulator.client import Recipient, Simulator
from simulator.faults import FaultKind
from tests.contract.transport_world import PATIENCE, World
from worker.outcome import Accepted, Unavailable
from worker.ports import Ended, SentFact, Unsent
from worker.providers.web.outcomes import after_death
from worker.providers.web.shards import ShardLimits
from worker.session import Ending

_numbers = itertools.count(491711000001)


@pytest_asyncio.fixture(scope="module")
async def simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with await Simulator.start(tmp_path_factory.mktemp("simulator")) as started:
        yield started


@pytest_asyncio.fixture(scope="module")
async def ravi(simulator: Simulator) -> Recipient:
    """A person with a real client."""
    return await simulator.recipient("491533333333", "Ravi")


@pytest_asyncio.fixture
async def shards(simulator: Simulator, tmp_path: Path) -> AsyncIterator[World]:
    """A world in which every session has an engine of its own."""
    made = World(simulator, tmp_path / "state", ShardLimits(sessions=1))
    await made.transport.start()
    yield made
    await simulator.clear_faults()
    await made.transport.aclose()


def kill_newest(world: World) -> None:
    os.kill(list(world.transport.engine_pids)[-1], signal.SIGKILL)


async def test_a_killed_engine_touches_only_its_own_sessions(shards: World, ravi: Recipient) -> None:
    survivor, victim = await shards.link(str(next(_numbers))), await shards.link(str(next(_numbers)))
    kill_newest(shards)
    ended = await shards.events.expects(Ended)
    assert (ended.session_id, ended.ending, ended.retry) == (victim, Ending.ENGINE, True)
    late = shards.claim(victim, f"+{ravi.phone}", "late")
    assert isinstance(await shards.transport.send(late), Unavailable)
    assert isinstance(
        await shards.transport.send(shards.claim(survivor, f"+{ravi.phone}", "still here")), Accepted
    )
    again = await shards.open(victim)
    assert not again.newly_paired
    assert isinstance(await shards.transport.send(late), Accepted)
    await ravi.expects("late")
    assert len(shards.events.all(Ended)) == 1


@pytest.mark.parametrize("fault", [FaultKind.STALL_PROCESSED, FaultKind.STALL_UNPROCESSED])
async def test_a_send_that_an_engine_died_with_is_in_doubt_under_its_id(
    shards: World, ravi: Recipient, fault: FaultKind
) -> None:
    phone = str(next(_numbers))
    session = await shards.link(phone)
    await shards.simulator.fault(fault, phone, count=1)
    claim = shards.claim(session, f"+{ravi.phone}", f"died with {fault}")
    sending = asyncio.create_task(shards.transport.send(claim))
    written = await shards.until_written(claim)
    kill_newest(shards)
    assert await asyncio.wait_for(sending, PATIENCE) == after_death(written)


async def test_a_send_that_an_engine_died_before_is_surely_unsent(shards: World, ravi: Recipient) -> None:
    phone = str(next(_numbers))
    session = await shards.link(phone)
    await shards.simulator.fault(FaultKind.DELAY, phone, seconds=PATIENCE)
    claim = shards.claim(session, f"+{ravi.phone}", "never left")
    sending = asyncio.create_task(shards.transport.send(claim))
    await asyncio.sleep(0)
    kill_newest(shards)
    assert await asyncio.wait_for(sending, PATIENCE) == after_death(Unsent())
    assert ravi.times_received("never left") == 0


async def test_what_a_killed_engine_had_journalled_is_told_again(shards: World, ravi: Recipient) -> None:
    session = await shards.link(str(next(_numbers)))
    claim = shards.claim(session, f"+{ravi.phone}", "journalled")
    assert isinstance(await shards.transport.send(claim), Accepted)
    kill_newest(shards)
    await shards.events.expects(Ended)
    await shards.open(session)
    again = await shards.events.expects(SentFact, lambda event: event.token == claim.token, times=2)
    assert again.session_id == session
    assert ravi.times_received("journalled") == 1


async def test_engines_end_with_the_daemon_that_started_them(shards: World) -> None:
    phone = str(next(_numbers))
    await shards.link(phone)
    pids = list(shards.transport.engine_pids)
    await shards.transport.aclose()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    await shards.simulator.until_connected(phone, 0)
