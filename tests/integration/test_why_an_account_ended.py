"""Why an account ended stays in its row, whatever heartbeats come before its lease is given back."""

from collections.abc import Callable

from tests.conftest import MakeWorker
from tests.kit.faults.hold import Stage
from tests.kit.faults.wires import Wires
from tests.kit.worker_process import until
from tests.kit.world import World, qr_text


async def beats(wires: Wires, count: int) -> None:
    """Wait until the worker has asked so many heartbeats more; the one before the last was acted upon."""
    wanted = wires.gate.calls["whatsapp_heartbeat"] + count

    async def look() -> bool | None:
        return True if wires.gate.calls["whatsapp_heartbeat"] >= wanted else None

    await until(look, 20, f"{count} heartbeats")


async def test_a_heartbeat_does_not_hide_that_a_phone_unlinked_the_device(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker, account = make_worker(HEARTBEAT_SECONDS="0.5", POLL_INTERVAL="1"), new_phone()
    async with Wires.of(world, worker) as wires:
        await worker.start()
        session = await world.link("Unlinked, and looked at", account)
        releasing = wires.gate.hold("whatsapp_lease_release", Stage.REQUEST)
        await world.simulator.unlink(account)
        await releasing.held(20)
        await beats(wires, 3)
        releasing.release()
        await beats(wires, 2)
        row = await world.until_status(session, "logged_out", 0)
        assert "unlinked this device" in row["last_error"]
        assert await worker.stop() == 0


async def test_a_heartbeat_does_not_hide_it_while_the_row_is_written(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker, account = make_worker(HEARTBEAT_SECONDS="0.5", POLL_INTERVAL="1"), new_phone()
    async with Wires.of(world, worker) as wires:
        await worker.start()
        session = await world.link("Unlinked, and told slowly", account)
        telling = wires.gate.hold(
            "whatsapp_session_report",
            Stage.ANSWER,
            lambda call: call.asked["p_report"]["status"] == "logged_out",
        )
        await world.simulator.unlink(account)
        await telling.held(20)
        await beats(wires, 3)
        telling.release()
        await beats(wires, 2)
        row = await world.until_status(session, "logged_out", 0)
        assert "unlinked this device" in row["last_error"]
        assert await worker.stop() == 0


async def test_a_phone_that_is_an_account_already_is_refused_and_stays_what_it_is(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker, phone = make_worker(POLL_INTERVAL="1"), new_phone()
    await worker.start()
    first = await world.link("First", phone)
    second = await world.add_account("Second")
    await world.simulator.scan(phone, qr_text(await world.shown_qr(second)))
    row = await world.until_status(second, "error")
    assert "linked as another account of your organisation" in row["last_error"]
    assert row["phone_number"] is None
    await world.simulator.until_connected(phone, 1)
    assert len((await world.simulator.show(phone))["devices"]) == 1, "the new device was logged out"
    assert await world.until_status(first, "connected", 0)
