"""A worker that is asked to stop hands over in order; one that dies is replaced in thirty seconds."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from simulator.faults import FaultKind
from tests.conftest import MakeWorker, settled, until_delivered
from tests.kit.worker_process import Worker, until
from tests.kit.world import World

#: An orderly stop takes no longer, seconds; a stalled send has 10 of its own.
STOP, STALLED_STOP = 10.0, 10.0 + 5.0

#: A dead worker's account serves again by then, seconds: a lease of 20 and a heartbeat of 5, and the restore.
TAKEOVER = 30.0

LEASE = "select worker_id, ready from herald.session_leases where session_id = %s and expires_at > now()"
CLEAN = "select clean from herald.session_credentials where session_id = %s"


async def stop(worker: Worker) -> float:
    """SIGTERM; the seconds until it has ended."""
    begun = time.monotonic()
    assert await worker.stop(30) == 0
    return time.monotonic() - begun


async def until_released(world: World, session: str, seconds: float) -> None:
    """Wait until nobody holds a session."""

    async def look() -> bool | None:
        return True if await world.row(LEASE, session) is None else None

    await until(look, seconds, "a session that nobody holds")


async def test_a_worker_that_is_stopped_at_work_leaves_clean_states_and_nothing_in_doubt(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker = make_worker(POLL_INTERVAL="1")
    await worker.start()
    recipient = await world.simulator.recipient(new_phone())
    sessions = [await world.link(f"Stopped {number}", new_phone()) for number in range(3)]
    await world.simulator.fault(FaultKind.DELAY, seconds=0.2)  # so that each has a send in flight when it stops
    ids = await world.schedule(
        [
            {
                "session_id": session,
                "recipient_phone": f"+{recipient.phone}",
                "message_content": f"{number} {session}",
            }
            for session in sessions
            for number in range(30)
        ]
    )
    await settled(world, ids[0], "sent", "delivered")
    assert await stop(worker) <= STOP
    await world.simulator.clear_faults()
    for session in sessions:
        assert await world.row(LEASE, session) is None
        assert await world.row(CLEAN, session) == {"clean": True}
    rows = await world.rows(
        "select status, count(*) from public.scheduled_whatsapp_messages where id = any(%s::uuid[]) group by 1",
        ids,
    )
    left = {row["status"]: row["count"] for row in rows}
    assert left.keys() <= {"pending", "sent", "delivered"}
    assert left.get("pending", 0) > 0  # it was at work
    await worker.start()
    await until_delivered(world, ids)
    texts = [entry.text for entry in world.simulator.ledger.received(recipient.phone)]
    assert len(texts) == len(set(texts)) == len(ids)


async def test_a_stalled_send_gets_ten_seconds_and_holds_up_no_other_account(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker = make_worker()
    await worker.start()
    recipient, stalled = await world.simulator.recipient(new_phone()), new_phone()
    slow, quick = await world.link("Stalled", stalled), await world.link("Quick", new_phone())
    await world.simulator.fault(FaultKind.STALL_UNPROCESSED, stalled, count=1)
    [message] = await world.schedule(
        [{"session_id": slow, "recipient_phone": f"+{recipient.phone}", "message_content": "swallowed"}]
    )
    await world.simulator.until_used_up(FaultKind.STALL_UNPROCESSED, phone=stalled)
    stopping = asyncio.create_task(stop(worker))
    await until_released(world, quick, 6)
    assert await world.row(LEASE, slow) is not None
    seconds = await stopping
    assert 9 <= seconds <= STALLED_STOP
    row = await settled(world, message, "in_doubt", seconds=1)
    assert row["error_code"] == "herald-handed-over"
    assert "may have gone out" in row["error_message"]
    assert row["wa_message_id"]
    for session in (slow, quick):
        assert await world.row(CLEAN, session) == {"clean": True}


async def test_a_dead_workers_account_serves_elsewhere_within_thirty_seconds(
    world: World,
    make_worker: MakeWorker,
    new_phone: Callable[[], str],
    record_property: Callable[[str, object], None],
) -> None:
    dying, heir = make_worker(), make_worker()
    await dying.start()
    recipient = await world.simulator.recipient(new_phone())
    session = await world.link("Orphan", new_phone())
    await heir.start()
    await heir.until_serving(0)
    assert dying.process
    begun = time.monotonic()
    for pid in (dying.process.pid, *dying.engines()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": "the heir serves"}
    ids = await world.schedule([row])
    await until_delivered(world, ids, TAKEOVER + 10)
    seconds = time.monotonic() - begun
    record_property("seconds", round(seconds, 1))
    print(f"taken over, and a message delivered, {seconds:.1f} s after the death")
    assert seconds <= TAKEOVER
    assert recipient.times_received("the heir serves") == 1
    lease = await world.row(LEASE, session)
    assert lease
    assert lease["worker_id"] == heir.worker_id
