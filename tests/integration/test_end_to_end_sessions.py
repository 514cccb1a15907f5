"""What an admin asks of an account, and what its phone does to it."""

from collections.abc import Callable

import pytest

from simulator.faults import FaultKind
from tests.conftest import settled
from tests.kit.worker_process import until
from tests.kit.world import Row, World, qr_text

pytestmark = pytest.mark.usefixtures("worker")


async def want(world: World, session: str, state: str) -> None:
    """Press connect, disconnect or log out, as the CRM does."""
    await world.admin.table("whatsapp_sessions").update({"desired_state": state}).eq("id", session).execute()


async def credentials(world: World, session: str) -> Row | None:
    return await world.row("select * from herald.session_credentials where session_id = %s", session)


async def until_released(world: World, session: str) -> None:
    sql = "select session_id from herald.session_leases where session_id = %s and run_id is null"
    await until(lambda: world.row(sql, session), 10, "a lease that is given back")


async def delivers(world: World, session: str, phone: str, text: str) -> None:
    """Prove that the account can send: one direct message arrives once."""
    recipient = await world.simulator.recipient(phone)
    row = {"session_id": session, "recipient_phone": f"+{phone}", "message_content": text}
    [message] = await world.schedule([row])
    await settled(world, message, "delivered")
    assert recipient.times_received(text) == 1


async def test_disconnect_and_connect_need_no_new_qr(world: World, new_phone: Callable[[], str]) -> None:
    account, ann = new_phone(), new_phone()
    session = await world.link("On and off", account)
    await delivers(world, session, ann, "before the pause")
    await want(world, session, "disconnected")
    await world.until_status(session, "disconnected")
    await until_released(world, session)
    await world.simulator.until_connected(account, 0)
    kept = await credentials(world, session)
    assert kept
    assert kept["clean"]
    await want(world, session, "connected")
    await world.until_status(session, "connected")
    assert await credentials(world, session)
    await delivers(world, session, ann, "after the pause")
    assert (await world.simulator.show(account))["devices"]


async def test_what_is_in_flight_at_a_disconnect_is_settled_before_the_lease_is_given_back(
    world: World, new_phone: Callable[[], str]
) -> None:
    account, ann = new_phone(), new_phone()
    session = await world.link("In flight", account)
    recipient = await world.simulator.recipient(ann)
    await delivers(world, session, ann, "first")
    await world.simulator.fault(FaultKind.STALL_PROCESSED, account, count=1)
    row = {"session_id": session, "recipient_phone": f"+{ann}", "message_content": "unacknowledged"}
    [message] = await world.schedule([row])
    await recipient.expects("unacknowledged")
    await want(world, session, "disconnected")
    await until_released(world, session)
    settled_row = await settled(world, message, "in_doubt", "sent", "delivered", seconds=0)
    assert settled_row["wa_message_id"]
    await want(world, session, "connected")
    await settled(world, message, "delivered")
    assert recipient.times_received("unacknowledged") == 1


async def test_logout_removes_the_device_and_its_credentials(world: World, new_phone: Callable[[], str]) -> None:
    account = new_phone()
    session = await world.link("Goodbye", account)
    assert await credentials(world, session)
    await want(world, session, "logged_out")
    row = await world.until_status(session, "logged_out")
    await until_released(world, session)
    assert (row["desired_state"], row["qr_code"]) == ("disconnected", None)
    assert await credentials(world, session) is None
    assert (await world.simulator.show(account))["devices"] == []
    await want(world, session, "connected")
    await world.simulator.scan(account, qr_text(await world.shown_qr(session)))
    await world.until_status(session, "connected")
    await delivers(world, session, new_phone(), "linked anew")


async def test_an_unlink_on_the_phone_is_told_with_its_remedy(world: World, new_phone: Callable[[], str]) -> None:
    account = new_phone()
    session = await world.link("Unlinked", account)
    await world.simulator.unlink(account)
    row = await world.until_status(session, "logged_out")
    assert (row["desired_state"], row["last_error"]) == (
        "disconnected",
        "The phone unlinked this device. Press connect and scan a new QR code.",
    )
    assert await credentials(world, session) is None
    await until_released(world, session)


async def test_another_number_is_refused_at_a_relink(world: World, new_phone: Callable[[], str]) -> None:
    account, other = new_phone(), new_phone()
    session = await world.link("Same number only", account)
    await world.simulator.unlink(account)
    await world.until_status(session, "logged_out")
    await want(world, session, "connected")
    await world.simulator.scan(other, qr_text(await world.shown_qr(session)))
    row = await world.until_status(session, "error")
    assert (row["phone_number"], row["desired_state"]) == (f"+{account}", "disconnected")
    assert "another number" in row["last_error"]
    assert await credentials(world, session) is None
    assert (await world.simulator.show(other))["devices"] == []


async def test_a_lost_connection_comes_back_by_itself(world: World, new_phone: Callable[[], str]) -> None:
    account, ann = new_phone(), new_phone()
    session = await world.link("Flaky", account)
    await world.simulator.fault(FaultKind.DROP, account)
    await delivers(world, session, ann, "after the drop")


async def test_a_ban_is_told_and_its_end_too(world: World, new_phone: Callable[[], str]) -> None:
    account = new_phone()
    session = await world.link("Banned", account)
    await world.simulator.fault(FaultKind.BAN, account, seconds=600)
    try:
        row = await world.until_status(session, "banned")
        assert row["desired_state"] == "disconnected"
        assert "restricts this account" in row["last_error"]
    finally:
        await world.simulator.clear_faults()
    await want(world, session, "connected")
    await world.until_status(session, "connected")
