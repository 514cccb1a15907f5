"""What strangers and a careless CRM send may harm nobody but themselves."""

from collections.abc import Callable

import pytest

from tests.conftest import settled, until_delivered
from tests.kit.worker_process import Worker
from tests.kit.world import World

STRANGE_IDS = (b"A\0B", b"no \xff UTF-8", b"X" * 5000)


async def test_receipts_of_strange_ids_hold_up_nobodys_receipts(
    world: World, worker: Worker, new_phone: Callable[[], str]
) -> None:
    """Postgres takes no NUL, and no text of 5,000 characters into an index; all accounts' receipts go together."""
    account, stranger = new_phone(), new_phone()
    recipient = await world.simulator.recipient(new_phone())
    session = await world.link("Confirmed by a stranger", account)
    await world.simulator.account(stranger)
    for message_id in STRANGE_IDS:
        await world.simulator.confirm(stranger, account, message_id)
    await world.simulator.until_delivered(account)
    row = {
        "session_id": session,
        "recipient_phone": f"+{recipient.phone}",
        "message_content": "does it get through?",
    }
    await until_delivered(world, await world.schedule([row]))
    assert worker.process
    assert worker.process.returncode is None


@pytest.mark.usefixtures("worker")
async def test_an_account_in_a_group_with_nul_in_its_name_goes_on(
    world: World, new_phone: Callable[[], str]
) -> None:
    account, recipient = new_phone(), await world.simulator.recipient(new_phone())
    await world.simulator.account(account)
    jid = await world.simulator.create_group("Ki\0ln", recipient.phone, [account, recipient.phone])
    session = await world.link("In a strange group", account)
    group = await world.group(session, jid)
    assert group["group_name"] == "Ki\ufffdln"
    row = {"session_id": session, "group_id": group["id"], "message_content": "hello, kiln"}
    await until_delivered(world, await world.schedule([row]))


@pytest.mark.usefixtures("worker")
async def test_a_url_that_no_library_can_take_fails_its_message_alone(
    world: World, new_phone: Callable[[], str]
) -> None:
    recipient = await world.simulator.recipient(new_phone())
    session = await world.link("Writes strange URLs", new_phone())
    row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": "look"}
    url = f"https://{'a' * 64}.example/1.png"
    [strange] = await world.schedule([{**row, "media_kind": "image", "media_url": url, "priority": 9}])
    [after] = await world.schedule([row])
    failed = await settled(world, strange, "failed")
    assert failed["error_message"] == "The media's URL is malformed."
    await settled(world, after, "delivered")
