"""What becomes of engine processes that grow old, grow large or hang, and of the sessions in them."""

import asyncio
import os
import signal
import time
from pathlib import Path
from uuid import UUID

import pytest

from simulator.client import Recipient, Simulator
from simulator.faults import FaultKind
from tests.kit.phones import new_phone
from tests.kit.web_world import PATIENCE, WebWorld, web_world
from tests.kit.worker_process import until
from worker.events import Connected, Ended
from worker.outcome import Accepted, Indeterminate
from worker.providers.web.shards import ShardLimits
from worker.session import Ending


async def until_gone(pid: int) -> None:
    """Wait until a process has ended and its parent knows."""

    async def look() -> bool | None:
        return None if Path(f"/proc/{pid}").exists() else True

    await until(look, PATIENCE, "the end of the engine")


async def reopen(world: WebWorld, session: UUID) -> None:
    """Open a session again when it has lost its engine, as a LiveSession does."""
    ended = await world.events.expects(Ended, lambda event: event.session_id == session)
    assert (ended.ending, ended.retry) == (Ending.ENGINE, True)
    await world.open(session)


async def test_an_engine_that_has_seen_many_openings_ends_when_it_is_empty(
    simulator: Simulator, state_dir: Path, asha: Recipient
) -> None:
    async with web_world(simulator, state_dir, ShardLimits(openings=2)) as world:
        first, second = [await world.link(new_phone()) for _ in range(2)]
        [old] = world.provider.engine_pids
        third = await world.link(new_phone())
        assert world.provider.engine_pids[old] == 2
        assert len(world.provider.engine_pids) == 2
        await world.provider.close(first)
        assert old in world.provider.engine_pids  # it still holds one
        await world.provider.close(second)
        await until_gone(old)
        for session in (first, second):
            await world.open(session)
        for session in (first, third):
            assert isinstance(
                await world.provider.send(world.claim(session, f"+{asha.phone}", f"{session}")), Accepted
            )
            await asha.expects(str(session))


async def test_a_large_engine_is_emptied_one_session_after_the_other_between_sends(
    simulator: Simulator, state_dir: Path, asha: Recipient
) -> None:
    async with web_world(simulator, state_dir, ShardLimits(sessions=2)) as world:
        phone = new_phone()
        busy, idle = await world.link(phone), await world.link(new_phone())
        [measured] = world.provider.engine_pids
        status = Path(f"/proc/{measured}/status").read_text()
        resident = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))
        world.limits = ShardLimits(sessions=2, memory_mb=0.7 * resident)
        await world.restart()
        await asyncio.gather(world.open(busy), world.open(idle))
        [old] = world.provider.engine_pids
        await simulator.fault(FaultKind.DELAY, phone, seconds=0.5)
        text = "sent while it was emptied"
        sending = asyncio.create_task(world.provider.send(world.claim(busy, f"+{asha.phone}", text)))
        await asyncio.sleep(0)  # it is under way
        await asyncio.gather(world.provider.check_memory(), reopen(world, busy), reopen(world, idle))
        assert isinstance(await sending, Accepted)  # it was let finish
        await until_gone(old)
        told = [type(event).__name__ for event, _ in world.events.seen if isinstance(event, Ended | Connected)]
        assert told[-4:] == ["Ended", "Connected", "Ended", "Connected"]  # never both away at once
        await asha.expects(text)
        assert asha.times_received(text) == 1


async def test_an_engine_far_above_its_memory_limit_is_killed(simulator: Simulator, state_dir: Path) -> None:
    async with web_world(simulator, state_dir, ShardLimits(memory_mb=10)) as world:
        session = await world.link(new_phone())
        [old] = world.provider.engine_pids
        await world.provider.check_memory()
        await reopen(world, session)
        assert old not in world.provider.engine_pids


async def test_a_send_that_hangs_ends_its_session_and_is_in_doubt(
    simulator: Simulator, state_dir: Path, asha: Recipient
) -> None:
    async with web_world(simulator, state_dir, ShardLimits(send_seconds=1.5)) as world:
        phone = new_phone()
        session = await world.link(phone)
        await simulator.fault(FaultKind.STALL_UNPROCESSED, phone, count=1)
        outcome = await world.provider.send(world.claim(session, f"+{asha.phone}", "hangs"))
        assert isinstance(outcome, Indeterminate)
        assert (outcome.code, bool(outcome.wa_message_id)) == ("wa-send-hung", True)
        ended = await world.events.expects(Ended)
        assert (ended.ending, ended.detail, ended.retry) == (Ending.LOST, "a send hung", True)
        await world.open(session)
        assert isinstance(await world.provider.send(world.claim(session, f"+{asha.phone}", "goes")), Accepted)


async def test_an_engine_that_hangs_is_killed_when_its_lease_is_not_taken_in(
    simulator: Simulator, state_dir: Path
) -> None:
    async with web_world(simulator, state_dir, ShardLimits()) as world:
        session = await world.link(new_phone())
        [old] = world.provider.engine_pids
        os.kill(old, signal.SIGSTOP)
        world.provider.extend_lease({session: time.monotonic() + 1.0})
        await reopen(world, session)
        assert old not in world.provider.engine_pids


async def test_an_engine_that_was_stopped_past_its_lease_ends_at_once(
    simulator: Simulator, state_dir: Path
) -> None:
    async with web_world(simulator, state_dir, ShardLimits()) as world:
        phone = new_phone()
        session = await world.link(phone)
        [old] = world.provider.engine_pids
        over = time.monotonic() + 1.0
        world.provider.extend_lease({session: over})
        await asyncio.sleep(0)  # lets it be written
        await world.provider.groups(session)  # comes after it, so the engine has taken it in
        os.kill(old, signal.SIGSTOP)
        await asyncio.sleep(over + 1.1 - time.monotonic())  # the lease's time passes
        os.kill(old, signal.SIGCONT)
        await until_gone(old)
        await world.events.expects(Ended)
        await simulator.until_connected(phone, 0)


async def test_a_session_is_not_opened_under_a_lease_that_is_over(simulator: Simulator, state_dir: Path) -> None:
    async with web_world(simulator, state_dir, ShardLimits()) as world:
        phone = new_phone()
        session = await world.link(phone)
        await world.provider.close(session)
        with pytest.raises(Exception, match="lease ended"):
            await world.begin(session, seconds=-0.1)
        await simulator.until_connected(phone, 0)
        await world.open(session)
