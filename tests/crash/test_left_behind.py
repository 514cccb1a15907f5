"""What a host still holds of accounts that its worker does not serve any more."""

from collections.abc import Callable
from pathlib import Path

from tests.conftest import MakeWorker, settled, until_delivered
from tests.kit.faults.hold import Exchange, Stage
from tests.kit.faults.wires import Wires
from tests.kit.worker_process import until
from tests.kit.world import World

#: Short leases, so that another worker soon takes over.
LEASES = {"LEASE_SECONDS": "6", "HEARTBEAT_SECONDS": "1.5", "POLL_INTERVAL": "1"}

HOLDER = "select 1 from herald.session_leases where session_id = %s and worker_id = %s and ready"


def tells_of_a_delivery(call: Exchange) -> bool:
    return any(receipt["kind"] == "delivered" for receipt in call.asked["p_receipts"])


async def test_receipts_that_a_dead_worker_could_not_write_are_written_when_it_is_back(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    dying, heir = make_worker(**LEASES), make_worker(**LEASES)
    async with Wires.of(world, dying) as wires:
        await dying.start()
        recipient, account = await world.simulator.recipient(new_phone()), new_phone()
        session = await world.link("Confirmed to a dead worker", account)
        row = {"session_id": session, "recipient_phone": f"+{recipient.phone}"}
        writing = wires.gate.hold("whatsapp_receipts", Stage.REQUEST, tells_of_a_delivery)
        [message] = await world.schedule([{**row, "message_content": "who confirms this?"}])
        await writing.held(20)
        await settled(world, message, "sent", seconds=0)
        await world.simulator.until_delivered(account)  # WhatsApp has been told that its client heard of it
        await wires.kill()
        writing.drop()

        await heir.start()
        await until(lambda: world.row(HOLDER, session, heir.worker_id), 30, "the heir's lease")
        later = await world.schedule([{**row, "message_content": "the heir serves"}])
        await until_delivered(world, later)
        await settled(world, message, "sent", seconds=0)

        await dying.start()
        await settled(world, message, "delivered", seconds=40)
        assert recipient.times_received("who confirms this?") == 1
        assert await world.row(HOLDER, session, heir.worker_id)
        await wires.kill()


async def test_live_stores_of_deleted_accounts_are_wiped_and_no_others(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker = make_worker(**LEASES)
    await worker.start()
    state = Path(worker.environment["STATE_DIR"])
    served, offline, kept = [await world.link(name, new_phone()) for name in ("Served", "Offline", "Kept")]
    for session in (offline, kept):
        await (
            world.admin.table("whatsapp_sessions")
            .update({"desired_state": "disconnected"})
            .eq("id", session)
            .execute()
        )
        await world.until_status(session, "disconnected")
    await world.rows(
        "delete from public.whatsapp_sessions where id = any(%s::uuid[]) returning id", [served, offline]
    )

    async def wiped() -> bool | None:
        return None if any((state / session).exists() for session in (served, offline)) else True

    await until(wiped, 40, "two folders that are gone")
    assert (state / kept / "store.db").exists()
    assert worker.process
    assert worker.process.returncode is None
