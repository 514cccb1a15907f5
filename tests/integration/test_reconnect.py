"""Reconnecting with a real worker: whatever the account is doing, it is begun anew and no message suffers."""

from collections import Counter
from collections.abc import Callable

from simulator.faults import FaultKind
from tests.conftest import MakeWorker, until_delivered
from tests.kit.worker_process import until
from tests.kit.world import Row, World

MESSAGES, RECONNECTIONS = 30, 3

#: WhatsApp's servers answer in this time, seconds: reconnections come in the middle of sends.
ROUND_TRIP = 0.1


async def reconnect(world: World, session: str) -> Row:
    """Ask for a reconnection as the CRM does; the request once it has ended."""
    asked = {"organization_id": world.organization, "session_id": session, "kind": "reconnect"}
    made = await world.admin.table("whatsapp_commands").insert(asked).execute()
    command = made.data[0]
    assert isinstance(command, dict)
    ended = (
        "select state, error_message from public.whatsapp_commands where id = %s and state in ('done', 'failed')"
    )
    return await until(lambda: world.row(ended, command["id"]), 30, "an end of the reconnection")


async def test_messages_arrive_once_and_none_is_in_doubt_while_their_account_reconnects(
    world: World, new_phone: Callable[[], str], make_worker: MakeWorker
) -> None:
    worker = make_worker()
    await worker.start()
    session = await world.link("Busy", new_phone())
    recipient = await world.simulator.recipient(new_phone())
    await world.simulator.fault(FaultKind.DELAY, seconds=ROUND_TRIP)
    ids = await world.schedule(
        [
            {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": f"Busy {number}"}
            for number in range(MESSAGES)
        ]
    )
    sending = "select id from public.scheduled_whatsapp_messages where id = any(%s::uuid[]) and status = 'sending'"
    for _ in range(RECONNECTIONS):
        await until(lambda: world.row(sending, ids), 30, "a message on its way")
        before = await world.row("select connected_at from public.whatsapp_sessions where id = %s", session)
        assert (await reconnect(world, session))["state"] == "done"
        row = await world.until_status(session, "connected")
        assert before
        assert row["connected_at"] != before["connected_at"], "it was not opened again"
    await world.simulator.clear_faults()
    await until_delivered(world, ids)
    received = Counter(entry.text for entry in world.simulator.ledger.received(recipient.phone))
    assert received == Counter(f"Busy {number}" for number in range(MESSAGES))


async def test_an_account_that_shows_a_code_shows_a_new_one(world: World, make_worker: MakeWorker) -> None:
    worker = make_worker()
    await worker.start()
    session = await world.add_account("Not scanned")
    shown = await world.shown_qr(session)
    assert (await reconnect(world, session))["state"] == "done"

    async def another() -> bool | None:
        return True if await world.shown_qr(session) != shown else None

    await until(another, 15, "another code")


async def test_an_account_that_can_not_connect_is_opened_again(
    world: World, new_phone: Callable[[], str], make_worker: MakeWorker
) -> None:
    worker, phone = make_worker(), new_phone()
    await worker.start()
    session = await world.link("Backs off", phone)
    await world.simulator.fault(FaultKind.REFUSE, phone)
    await world.simulator.fault(FaultKind.DROP, phone)
    tried = "select id from public.whatsapp_sessions where id = %s and status = 'connecting' and retry_count >= 1"
    await until(lambda: world.row(tried, session), 60, "an account that tries again")
    await world.simulator.clear_faults()
    assert (await reconnect(world, session))["state"] == "done"
    await world.until_status(session, "connected")
