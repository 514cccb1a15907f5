"""A media host that never answers holds up its own message: not its account, and not the worker's stop."""

import time
from collections.abc import Callable

from tests.conftest import MakeWorker, settled, until_delivered
from tests.kit.faults.gate import Trouble
from tests.kit.faults.wires import Wires
from tests.kit.worker_process import until
from tests.kit.world import World

#: Where the worker takes media from although it is no public address: its own project's Storage.
SILENT = "/storage/v1/object/public/media/never.png"


async def asked_for(wires: Wires, message: str) -> None:
    """Wait until a message has been claimed."""
    claimed = "select 1 from herald.message_claims where message_id = %s"
    await until(lambda: wires.world.row(claimed, message), 20, "a claim of the message with media")


async def test_other_messages_of_the_account_go_out_while_a_picture_does_not_come(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker = make_worker(POLL_INTERVAL="1")
    async with Wires.of(world, worker) as wires:
        await worker.start()
        recipient = await world.simulator.recipient(new_phone())
        session = await world.link("Waits for a picture", new_phone())
        wires.gate.trouble(Trouble.SILENT, SILENT)
        row = {"session_id": session, "recipient_phone": f"+{recipient.phone}"}
        picture = {**row, "media_kind": "image", "media_url": wires.gate.url + SILENT, "message_content": "look"}
        [message] = await world.schedule([picture])
        await asked_for(wires, message)
        begun = time.monotonic()
        texts = await world.schedule([{**row, "message_content": f"not held up {n}"} for n in range(5)])
        await until_delivered(world, texts, 15)
        assert time.monotonic() - begun < 10  # by itself the picture takes 30 s, four times
        waiting = await settled(world, message, "pending", "sending", seconds=0)
        assert waiting["retry_count"] == 0
        await wires.kill()


async def test_a_stop_does_not_wait_for_a_picture(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker = make_worker(POLL_INTERVAL="1")
    async with Wires.of(world, worker) as wires:
        await worker.start()
        recipient = await world.simulator.recipient(new_phone())
        session = await world.link("Stopped at a picture", new_phone())
        wires.gate.trouble(Trouble.SILENT, SILENT)
        row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": "look"}
        [message] = await world.schedule([{**row, "media_kind": "image", "media_url": wires.gate.url + SILENT}])
        await asked_for(wires, message)
        begun = time.monotonic()
        assert await worker.stop(30) == 0
        assert time.monotonic() - begun < 9  # a send that stalls gets ten seconds
        left = await settled(world, message, "pending", seconds=0)
        assert left["retry_count"] == 0
