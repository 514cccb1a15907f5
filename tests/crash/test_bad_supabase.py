"""A worker that lives on while Supabase's answers are lost, bad or late: every message arrives once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from simulator.client import Recipient
from tests.conftest import until_delivered, workers
from tests.kit.faults.failpoints import Failpoint, armed
from tests.kit.faults.gate import Trouble
from tests.kit.faults.wires import Wires
from tests.kit.worker_process import until
from tests.kit.world import World


@dataclass
class Serving:
    """A worker on wires that serves one account, and somebody to write to."""

    wires: Wires
    session: str
    recipient: Recipient

    async def write(self, *texts: str) -> list[str]:
        """Queue messages to the recipient; their ids."""
        to = {"session_id": self.session, "recipient_phone": f"+{self.recipient.phone}"}
        return await self.wires.world.schedule([{**to, "message_content": text} for text in texts])


@pytest.fixture(scope="module")
async def serving(world: World) -> AsyncIterator[Serving]:
    async with workers(world) as make:
        worker = make(POLL_INTERVAL="1")
        async with Wires.of(world, worker) as wires:
            await worker.start()
            session = await world.link("Badly served", "491700000011")
            yield Serving(wires, session, await world.simulator.recipient("491700000012"))
            await wires.kill()


@pytest.fixture
async def process(serving: Serving) -> AsyncIterator[int]:
    """The worker's process, which must be the same and alive afterwards."""
    assert serving.wires.worker.process
    yield serving.wires.worker.process.pid
    assert serving.wires.worker.process.returncode is None


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize(
    "failpoint",
    [Failpoint.AFTER_CLAIM, Failpoint.BEFORE_SETTLE, Failpoint.AFTER_SETTLE],
)
async def test_a_lost_call_of_a_living_worker_is_made_good(
    world: World, serving: Serving, failpoint: Failpoint
) -> None:
    text = f"lost {failpoint}"
    async with armed(failpoint, serving.wires) as point:
        messages = await serving.write(text)
        assert (await point.reached()).messages == set(messages)
    await until_delivered(world, messages, 20)
    assert serving.recipient.times_received(text) == 1


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize(
    "trouble", [Trouble.UNAVAILABLE, Trouble.GARBAGE, Trouble.TOKEN_REFUSED, Trouble.TOO_LARGE]
)
async def test_a_worker_survives_bad_answers(world: World, serving: Serving, trouble: Trouble) -> None:
    texts = [f"{trouble} {number}" for number in range(3)]
    for name in ("whatsapp_settle_and_claim", "whatsapp_receipts", "whatsapp_heartbeat", "whatsapp_commands_take"):
        serving.wires.gate.trouble(trouble, name, count=2)
    messages = await serving.write(*texts)
    await until_delivered(world, messages, 30)
    assert [serving.recipient.times_received(text) for text in texts] == [1, 1, 1]


@pytest.mark.usefixtures("process")
async def test_a_cut_network_heals_and_the_queue_goes_on(world: World, serving: Serving) -> None:
    texts = [f"cut {number}" for number in range(10)]
    first = await serving.write(*texts[:5])
    await serving.recipient.expects(texts[0])
    await serving.wires.gate.network.cut()
    later = await serving.write(*texts[5:])
    await until(lambda: noticed(serving, "realtime"), 10, "a worker that notices the cut")
    await serving.wires.gate.network.heal()
    await until_delivered(world, [*first, *later], 20)
    assert [serving.recipient.times_received(text) for text in texts] == [1] * 10


@pytest.mark.full
@pytest.mark.usefixtures("process")
async def test_a_supabase_that_falls_silent_past_the_lease_costs_no_message(
    world: World, serving: Serving
) -> None:
    texts = [f"silence {number}" for number in range(10)]
    first = await serving.write(*texts[:5])
    await serving.recipient.expects(texts[0])
    serving.wires.gate.network.half_open()
    await until(lambda: noticed(serving, "ready"), 40, "a worker that notices the silence")
    later = await serving.write(*texts[5:])
    await serving.wires.gate.network.heal()
    await until_delivered(world, [*first, *later], 40)
    assert [serving.recipient.times_received(text) for text in texts] == [1] * 10


async def noticed(serving: Serving, what: str) -> bool | None:
    """Whether the worker's /health says no to something."""
    health = await serving.wires.worker.health()
    return True if health and not health[what] else None
