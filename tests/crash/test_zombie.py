"""Workers that were stopped and go on, and another program on the same linked device: nothing goes out twice."""

from collections.abc import AsyncIterator, Callable

import pytest

from scripts.drills.zombie import LEASES, Freeze, Zombies
from simulator.faults import FaultKind
from tests.conftest import MakeWorker, workers
from tests.kit.worker_process import Worker, until
from tests.kit.world import World


@pytest.fixture(scope="module")
async def zombies(world: World) -> AsyncIterator[Zombies]:
    """Two workers with short leases and one account."""
    async with workers(world) as make:
        pair: list[Worker] = [make(**LEASES), make(**LEASES)]
        for worker in pair:
            await worker.start()
        recipient = await world.simulator.recipient("491700000012")
        session = await world.link("Torn", "491700000011")
        made = Zombies(world, pair, session, recipient)
        await made.watch()
        yield made
        await made.unwatch()


@pytest.mark.parametrize("what", list(Freeze))
async def test_a_worker_that_was_stopped_past_its_lease_neither_sends_nor_settles(
    zombies: Zombies, what: Freeze
) -> None:
    await zombies.round(what)
    found = await zombies.judge()
    assert found["settles"] > 0
    assert (found["lost"], found["twice"], found["stale"]) == (0, 0, 0)
    assert found["in_doubt"] <= len(zombies.takeovers)


async def test_an_account_whose_device_is_used_elsewhere_is_given_up_and_shown_to_a_person(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    rivals = [make_worker(**LEASES), make_worker(**LEASES)]
    for worker in rivals:
        await worker.start()
    phone = new_phone()
    session = await world.link("Replaced", phone)
    await world.simulator.fault(FaultKind.REPLACED, phone)
    row = await world.until_status(session, "error")
    assert row["desired_state"] == "disconnected"
    assert "Another program took over this linked device" in row["last_error"]
    await world.simulator.until_connected(phone, 0)
    moment = await world.row("select now() as now")
    assert moment

    async def both_have_looked() -> bool | None:
        beats = "select 1 from herald.workers where worker_id = any(%s) and heartbeat_at > %s"
        seen = await world.rows(beats, [worker.worker_id for worker in rivals], moment["now"])
        return True if len(seen) == len(rivals) else None

    await until(both_have_looked, 10, "a heartbeat of both workers")
    lease = "select 1 from herald.session_leases where session_id = %s and expires_at > now()"
    assert await world.row(lease, session) is None
    await world.simulator.until_connected(phone, 0)
