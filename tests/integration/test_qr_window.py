"""A QR that nobody scans: the account asks for a person again instead of showing codes for ever."""

from collections.abc import Callable

from tests.conftest import MakeWorker
from tests.kit.world import World, qr_text


async def test_a_qr_that_nobody_scans_in_its_window_ends_with_a_remedy_and_connect_begins_anew(
    world: World, make_worker: MakeWorker, new_phone: Callable[[], str]
) -> None:
    await make_worker(QR_WINDOW="4").start()
    session = await world.add_account("Nobody scans")
    await world.shown_qr(session)
    row = await world.until_status(session, "disconnected")
    assert (row["desired_state"], row["qr_code"], row["qr_expires_at"]) == ("disconnected", None, None)
    assert "Press connect for a new one" in row["last_error"]
    wanted = {"desired_state": "connected"}
    await world.admin.table("whatsapp_sessions").update(wanted).eq("id", session).execute()
    await world.simulator.scan(new_phone(), qr_text(await world.shown_qr(session)))
    row = await world.until_status(session, "connected")
    assert row["last_error"] is None
