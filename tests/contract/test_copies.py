"""What a copy of a store holds that is taken while the account is at work, and what makes one worth taking."""

import sqlite3
from contextlib import closing

from simulator.client import Recipient, Simulator
from tests.kit.phones import new_phone
from tests.kit.web_world import WebWorld
from worker.outcome import Accepted


def rows(copy: bytes, table: str) -> int:
    """How many rows a table of a copy has."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(copy)
        return int(database.execute(f"select count(*) from {table}").fetchone()[0])


async def test_a_copy_of_an_account_at_work_holds_no_ratchets_and_only_the_newest_secrets(
    world: WebWorld, simulator: Simulator, asha: Recipient
) -> None:
    phone = new_phone()
    session = await world.link(phone)
    group = await simulator.create_group("Pottery", phone, [asha.phone])
    for to in (group, f"+{asha.phone}"):
        assert isinstance(await world.provider.send(world.claim(session, to, "hello")), Accepted)
    whole = await world.provider.snapshot(session, ratchets=True)
    lean = await world.provider.snapshot(session, ratchets=False)
    ratchets = ("whatsmeow_sessions", "whatsmeow_sender_keys")
    assert [rows(whole, table) > 0 for table in ratchets] == [True, True]
    assert [rows(lean, table) for table in ratchets] == [0, 0]
    for table in ("whatsmeow_device", "whatsmeow_pre_keys", "whatsmeow_message_secrets"):
        assert rows(lean, table) == rows(whole, table) > 0


async def test_what_is_sent_and_received_makes_no_copy_worth_taking(
    world: WebWorld, simulator: Simulator, asha: Recipient
) -> None:
    phone = new_phone()
    session = await world.link(phone)
    group = await simulator.create_group("Weaving", phone, [asha.phone])
    linked = await world.provider.fingerprint(session)
    for to in (group, f"+{asha.phone}"):
        await world.provider.send(world.claim(session, to, f"to {to}"))
    for number in range(3):
        await asha.send(group, f"in the group {number}")
        await asha.send(phone, f"to the account {number}")
        await world.inbound(f"in the group {number}")
        await world.inbound(f"to the account {number}")
    assert await world.provider.fingerprint(session) == linked


async def test_a_newly_linked_device_makes_a_copy_worth_taking(world: WebWorld) -> None:
    phone = new_phone()
    session = await world.link(phone)
    linked = await world.provider.fingerprint(session)
    await world.provider.logout(session)
    unlinked = await world.provider.fingerprint(session)
    assert linked != unlinked
