"""An engine process dies under a worker: its accounts are back in seconds, and nobody else notices."""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

from simulator.faults import FaultKind
from tests.conftest import MakeWorker, until_delivered
from tests.kit.worker_process import Worker, until
from tests.kit.world import Row, World

KILLS, MESSAGES = 3, 20

#: Its accounts are connected again by then, seconds.
BACK = 5.0

#: WhatsApp's servers answer in this time, seconds: kills strike in every stage of a send.
ROUND_TRIP = 0.05


OPEN = (
    "select id, status, message_content from public.scheduled_whatsapp_messages"
    " where id = any(%s::uuid[]) and status not in ('delivered', 'read')"
)


async def until_another_engine(worker: Worker, session: str, killed: int) -> int:
    """Wait until a new process holds the session; its process id."""

    async def look() -> int | None:
        found = worker.engine_of(session)
        return found if found not in (0, killed) else None

    return await until(look, BACK + 5, "another engine for the account")


async def resend_what_never_left(world: World, ids: list[str]) -> int:
    """Wait for every message; have an admin send again what is in doubt and has not arrived; how many."""

    async def look() -> bool | None:
        rows = await world.rows(OPEN, ids)
        waiting = [row for row in rows if row["status"] != "in_doubt"]
        return True if not waiting and all(not arrived(row) for row in rows) else None

    def arrived(row: Row) -> bool:
        return any(entry.text == row["message_content"] for entry in world.simulator.ledger.received())

    await until(look, 60, "an end of every message that arrived")
    doubtful = [str(row["id"]) for row in await world.rows(OPEN, ids)]
    table = world.admin.table("scheduled_whatsapp_messages")
    await table.update({"status": "pending"}).in_("id", doubtful).execute()
    await until_delivered(world, ids)
    return len(doubtful)


async def test_an_account_survives_its_engine_and_the_others_do_not_notice(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    worker = make_worker(ENGINE_SHARD_SIZE="1")
    await worker.start()
    recipient = await world.simulator.recipient(new_phone())
    struck = await world.link("Struck", new_phone())
    spared = await world.link("Spared", new_phone())
    engine = worker.engine_of(struck)
    other_engine = worker.engine_of(spared)
    assert engine != other_engine
    assert worker.process
    daemon = worker.process.pid

    async def row(session: str) -> Row:
        found = await world.row("select status, connected_at from public.whatsapp_sessions where id = %s", session)
        assert found
        return found

    spared_since = (await row(spared))["connected_at"]
    rng = random.Random(2)
    ids: list[str] = []
    back: list[float] = []
    await world.simulator.fault(FaultKind.DELAY, seconds=ROUND_TRIP)
    for kill in range(KILLS):
        ids += await world.schedule(
            [
                {
                    "session_id": session,
                    "recipient_phone": f"+{recipient.phone}",
                    "message_content": f"shard {kill}.{number} {name}",
                }
                for number in range(MESSAGES // 2)
                for session, name in ((struck, "struck"), (spared, "spared"))
            ]
        )
        await asyncio.sleep(rng.uniform(0.05, 0.6))  # the kill comes at any moment of a send
        before = (await row(struck))["connected_at"]
        os.kill(engine, signal.SIGKILL)
        begun = time.monotonic()
        engine = await until_another_engine(worker, struck, engine)

        async def reconnected(before: object = before) -> bool | None:
            now = await row(struck)
            return True if now["status"] == "connected" and now["connected_at"] != before else None

        await until(reconnected, BACK + 5, "the account's reconnection")
        back.append(time.monotonic() - begun)
    await world.simulator.clear_faults()
    in_doubt = await resend_what_never_left(world, ids)
    received = Counter(entry.text for entry in world.simulator.ledger.received(recipient.phone))
    rows = await world.rows(
        "select message_content from public.scheduled_whatsapp_messages where id = any(%s::uuid[])", ids
    )
    assert received == Counter(entry["message_content"] for entry in rows)
    assert len(received) == KILLS * MESSAGES
    assert (worker.process.pid, worker.process.returncode) == (daemon, None)
    assert worker.engine_of(spared) == other_engine
    assert (await row(spared))["connected_at"] == spared_since
    print(f"back after {[round(seconds, 2) for seconds in back]} s; {in_doubt} in doubt for a person")
    assert in_doubt <= KILLS  # the account had one message in flight at each kill
    assert max(back) <= BACK
