"""A host is lost with its live store while WhatsApp has a message that nobody knows of: it is not sent again."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.conftest import MakeWorker, settled, until_delivered
from tests.kit.faults.failpoints import Failpoint, armed
from tests.kit.faults.wires import Wires
from tests.kit.world import World


async def test_what_a_lost_host_was_sending_stays_in_doubt_whatever_the_restored_store_says(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker, account = make_worker(POLL_INTERVAL="1"), new_phone()
    async with Wires.of(world, worker) as wires:
        await worker.start()
        recipient = await world.simulator.recipient(new_phone())
        session = await world.link("Lost with its host", account)
        row = {"session_id": session, "recipient_phone": f"+{recipient.phone}"}
        await until_delivered(world, await world.schedule([{**row, "message_content": "known"}]))
        async with armed(Failpoint.AFTER_WIRE, wires, account=account) as point:
            [message] = await world.schedule([{**row, "message_content": "out, and nobody knows"}])
            assert (await point.reached()).messages == {message}
            await wires.kill()
        shutil.rmtree(Path(worker.environment["STATE_DIR"]) / session)
        await worker.start()
        left = await settled(world, message, "in_doubt", "sent", "delivered", "pending")
        assert (left["status"], left["error_code"]) == ("in_doubt", "herald-host-lost")
        await until_delivered(world, await world.schedule([{**row, "message_content": "later"}]))
        assert recipient.times_received("out, and nobody knows") == 1
        assert recipient.times_received("later") == 1
        await wires.kill()
