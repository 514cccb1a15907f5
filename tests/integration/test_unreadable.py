"""A phone can't decrypt a message and nobody is left who could repeat it: it goes out again, and the row says so."""

import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from simulator.client import Recipient
from simulator.faults import FaultKind
from tests.conftest import MakeWorker, settled, until_delivered
from tests.kit.worker_process import Worker, until
from tests.kit.world import World


async def damaged_copy_waits(world: World, session: str, recipient: Recipient, text: str) -> str:
    """Send a text whose copy for the phone is damaged; the phone is away and gets it later. The message's id."""
    await world.simulator.fault(FaultKind.DELAY, recipient.phone, seconds=60)
    await world.simulator.fault(FaultKind.GARBLE, recipient.phone, count=1, device=0)
    row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": text}
    [message] = await world.schedule([row])
    await settled(world, message, "sent")
    return message


async def comes_back(world: World, recipient: Recipient) -> None:
    await world.simulator.clear_faults(FaultKind.DELAY)
    await world.simulator.fault(FaultKind.DROP, recipient.phone)


async def engine_dies(world: World, worker: Worker, session: str) -> None:
    engine = worker.engine_of(session)
    os.kill(engine, signal.SIGKILL)

    async def new_engine() -> bool | None:
        return worker.engine_of(session) not in (0, engine) or None

    await until(new_engine, 30, "another engine")
    await world.until_status(session, "connected")


async def worker_stops(world: World, worker: Worker, session: str) -> None:
    assert await worker.stop() == 0
    await worker.start()
    await worker.until_serving(1)
    await world.until_status(session, "connected")


@pytest.mark.parametrize("forgets", [engine_dies, worker_stops])
async def test_what_a_phone_can_not_read_after_a_restart_goes_out_again(
    world: World,
    make_worker: MakeWorker,
    new_phone: Callable[[], str],
    forgets: Callable[[World, Worker, str], Awaitable[None]],
) -> None:
    worker = make_worker(POLL_INTERVAL="1")
    await worker.start()
    recipient = await world.simulator.recipient(new_phone(), client="phone")
    session = await world.link("Unreadable", new_phone())
    message = await damaged_copy_waits(world, session, recipient, "read me")
    await forgets(world, worker, session)
    await comes_back(world, recipient)
    await recipient.expects("read me", 60)
    [row] = await until_delivered(world, [message], 20)
    assert (row["resent_count"], row["unreadable_count"], row["error_code"]) == (1, 0, None)
    assert recipient.times_received("read me") == 1
