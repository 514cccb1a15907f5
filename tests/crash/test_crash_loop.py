"""An engine that dies whenever one account opens costs that account alone; the others are back in seconds."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.conftest import MakeWorker, until_delivered
from tests.kit.worker_process import until
from tests.kit.world import World

ACCOUNTS = 4

#: The others are connected again by then, seconds: two or three deaths of their engine on the way.
OTHERS_BACK = 20.0

ALERT = "select * from public.whatsapp_alerts where session_id = %s and kind = 'crash-loop'"


async def test_an_account_that_its_engine_dies_of_waits_alone_and_comes_back_when_it_is_well(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker = make_worker()
    engine = worker.environment["ENGINE_COMMAND"].replace("-- worker.engine", "-- tests.crash.fragile_engine")
    worker.environment["ENGINE_COMMAND"] = engine
    await worker.start()
    recipient = await world.simulator.recipient(new_phone())
    sessions = await asyncio.gather(*(world.link(f"Loop {n}", new_phone()) for n in range(ACCOUNTS)))
    guilty, *others = sessions
    assert len({worker.engine_of(session) for session in sessions}) == 1
    fragile = Path(worker.environment["STATE_DIR"]) / "fragile"
    fragile.write_text(guilty)
    os.kill(worker.engine_of(guilty), signal.SIGKILL)
    row = await world.until_status(guilty, "error", 60)
    assert "ended 2 times while this account was opened" in row["last_error"]
    assert row["desired_state"] == "connected"
    # The alert follows the row in a call of its own; so does its end.
    alert = await until(lambda: world.row(ALERT, guilty), 10, "an alert")
    assert (alert["severity"], alert["resolved_at"]) == ("critical", None)
    assert alert["message"] == row["last_error"]
    assert [await world.row(ALERT, session) for session in others] == [None] * (ACCOUNTS - 1)
    ids = await world.schedule(
        [
            {"session_id": s, "recipient_phone": f"+{recipient.phone}", "message_content": f"still here {s}"}
            for s in others
        ]
    )
    await until_delivered(world, ids, OTHERS_BACK)
    fragile.unlink()
    row = await world.until_status(guilty, "connected", 40)
    assert row["last_error"] is None
    resolved = f"{ALERT} and resolved_at is not null"
    await until(lambda: world.row(resolved, guilty), 10, "the end of the alert")
    assert worker.process
    assert worker.process.returncode is None
