"""Death at the worst moment: the message is written ahead, the recipient's devices are still being asked for."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.client import Recipient
from simulator.faults import FaultKind
from tests.conftest import MakeWorker, settled, until_delivered
from tests.kit.worker_process import Worker, until
from tests.kit.world import World
from worker.engine.store import SessionFolder

#: WhatsApp's servers answer in this time, seconds: longer than it takes to notice the moment and to kill.
ROUND_TRIP = 0.4


@dataclass
class Sending:
    """A message that was written ahead a moment ago."""

    worker: Worker
    session: str
    message: str
    recipient: Recipient


Begin = Callable[[str], Awaitable[Sending]]


@pytest.fixture
async def sending(world: World, make_worker: MakeWorker, new_phone: Callable[[], str]) -> AsyncIterator[Begin]:
    """Brings a first message to a recipient just past its write-ahead."""
    worker = make_worker(POLL_INTERVAL="1")
    await worker.start()
    recipient = await world.simulator.recipient(new_phone())
    session = await world.link("Sending", new_phone())

    async def begin(text: str) -> Sending:
        await world.simulator.fault(FaultKind.DELAY, seconds=ROUND_TRIP)
        row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": text}
        [message] = await world.schedule([row])
        folder = SessionFolder(Path(worker.environment["STATE_DIR"]), session)

        async def written() -> bool | None:
            claim = await world.row("select secret from herald.message_claims where message_id = %s", message)
            return True if claim and folder.written(bytes(claim["secret"])) else None

        await until(written, 20, "the message's write-ahead")
        return Sending(worker, session, message, recipient)

    yield begin
    await world.simulator.clear_faults()


async def test_a_worker_that_dies_lets_what_is_under_way_go_out_once(world: World, sending: Begin) -> None:
    case = await sending("under way")
    await case.worker.kill()
    await world.simulator.clear_faults()
    await case.worker.start()
    await case.worker.until_serving(1)
    await until_delivered(world, [case.message], 20)
    assert case.recipient.times_received("under way") == 1


async def test_what_a_dead_engine_may_have_sent_waits_for_a_person_and_is_sent_once(
    world: World, sending: Begin
) -> None:
    case = await sending("in doubt")
    os.kill(case.worker.engine_of(case.session), signal.SIGKILL)
    await world.simulator.clear_faults()
    await resent_by_a_person(world, case, "in doubt")


async def test_what_a_dead_worker_and_its_engine_may_have_sent_waits_for_a_person_and_is_sent_once(
    world: World, sending: Begin
) -> None:
    case = await sending("all dead")
    await kill_all(case.worker, case.session)
    await world.simulator.clear_faults()
    await case.worker.start()
    await resent_by_a_person(world, case, "all dead")


async def test_a_receipt_settles_what_a_dead_worker_and_its_engine_had_sent(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker = make_worker(POLL_INTERVAL="1")
    await worker.start()
    recipient, account = await world.simulator.recipient(new_phone()), new_phone()
    session = await world.link("Sent", account)
    await world.simulator.fault(FaultKind.STALL_PROCESSED, account, count=1)
    # The recipient's receipt waits: if it reached the engine at the moment of its death, it would be lost.
    await world.simulator.fault(FaultKind.DELAY, recipient.phone, seconds=60)
    row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": "it left"}
    [message] = await world.schedule([row])
    folder = SessionFolder(Path(worker.environment["STATE_DIR"]), session)

    async def left() -> bool | None:
        claim = await world.row("select secret from herald.message_claims where message_id = %s", message)
        wa_id = folder.written(bytes(claim["secret"])) if claim else None
        return bool(wa_id and await world.simulator.times_processed(wa_id)) or None

    await until(left, 20, "the message at the server")
    await kill_all(worker, session)
    await world.simulator.clear_faults()
    await world.simulator.fault(FaultKind.DROP, recipient.phone)  # it connects again and gets what waited
    await worker.start()
    await until_delivered(world, [message], 20)
    assert recipient.times_received("it left") == 1


async def kill_all(worker: Worker, session: str) -> None:
    """Kill a worker and its engine at once, as the end of a host or of a service's control group does."""
    engine = worker.engine_of(session)
    await worker.kill()
    os.kill(engine, signal.SIGKILL)


async def resent_by_a_person(world: World, case: Sending, text: str) -> None:
    """Expect the message in doubt and not arrived; when an admin has it sent again it arrives once."""
    row = await settled(world, case.message, "in_doubt")
    assert row["wa_message_id"]
    assert case.recipient.times_received(text) == 0
    table = world.admin.table("scheduled_whatsapp_messages")
    await table.update({"status": "pending"}).eq("id", case.message).execute()
    await until_delivered(world, [case.message], 20)
    assert case.recipient.times_received(text) == 1
