"""What goes wrong on demand, as real clients see it."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from simulator.client import Recipient, Simulator
from simulator.faults import FaultKind
from simulator.process import Child

ASHA, BELA = "491511111111", "491522222222"


async def test_a_message_whose_acknowledgement_is_withheld_arrives_once(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    await simulator.fault(FaultKind.STALL_PROCESSED, ASHA, count=1)
    sending = asyncio.create_task(asha.send(BELA, "delivered, not acknowledged"))
    received = await bela.expects("delivered, not acknowledged")
    assert not sending.done()
    await simulator.fault(FaultKind.DROP, ASHA)  # the library sends the same message again once it is back
    assert await sending == received.message_id
    assert await simulator.times_processed(received.message_id) == 2
    await asha.send(BELA, "marker")
    await bela.expects("marker")
    assert bela.times_received("delivered, not acknowledged") == 1
    await simulator.until_delivered(BELA)


async def test_a_swallowed_message_is_not_processed(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    await simulator.fault(FaultKind.STALL_UNPROCESSED, ASHA, count=1)
    sending = asyncio.create_task(asha.send(BELA, "swallowed at first"))
    await simulator.until_used_up(FaultKind.STALL_UNPROCESSED)
    assert bela.times_received("swallowed at first") == 0
    await simulator.fault(FaultKind.DROP, ASHA)
    assert await simulator.times_processed(await sending) == 1
    await bela.expects("swallowed at first")


@pytest.mark.parametrize(
    ("kind", "processed"), [(FaultKind.DROP_UNPROCESSED, 1), (FaultKind.DROP_PROCESSED, 2)], ids=str
)
async def test_a_connection_cut_around_a_message(
    simulator: Simulator, asha: Recipient, bela: Recipient, kind: FaultKind, processed: int
) -> None:
    text = f"cut: {kind}"
    await simulator.fault(kind, ASHA, count=1)
    message_id = await asha.send(BELA, text)
    await bela.expects(text)
    assert await simulator.times_processed(message_id) == processed


async def test_what_is_asked_before_a_message_stays_unanswered(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    group = await simulator.create_group("Asked first", ASHA, [BELA])
    await asha.restart()  # forgets who is in the group
    await simulator.fault(FaultKind.STALL_QUERY, ASHA, count=1)
    await simulator.fault(FaultKind.STALL_QUERY, BELA, count=1)
    sending = asyncio.create_task(asha.send(group, "to a group not asked about before"))
    await simulator.until_used_up(FaultKind.STALL_QUERY, phone=ASHA)
    with pytest.raises(TimeoutError):
        await simulator.until_used_up(FaultKind.STALL_QUERY, 0.1, phone=BELA)
    assert bela.times_received("to a group not asked about before") == 0
    await simulator.fault(FaultKind.DROP, ASHA)  # the library asks again once it is back
    await sending
    await bela.expects("to a group not asked about before")


async def test_a_damaged_message_is_asked_for_again(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    await simulator.fault(FaultKind.GARBLE, BELA, count=1)
    message_id = await asha.send(BELA, "garbled at first")
    await bela.expects_event("undecryptable")
    assert (await bela.expects("garbled at first")).message_id == message_id
    assert bela.times_received("garbled at first") == 1


async def test_a_slow_round_trip_holds_up_the_acknowledgement(simulator: Simulator, asha: Recipient) -> None:
    await asha.send(ASHA, "quick")
    await simulator.fault(FaultKind.DELAY, ASHA, seconds=0.4)
    began = time.monotonic()
    await asha.send(ASHA, "slow")
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        (FaultKind.LOG_OUT, "logged_out"),
        (FaultKind.REPLACED, "replaced"),
        (FaultKind.BAN, "banned"),
        (FaultKind.OUTDATED, "outdated"),
    ],
    ids=str,
)
async def test_a_client_is_told_why_it_is_sent_away(simulator: Simulator, kind: FaultKind, event: str) -> None:
    phone = f"4917{list(FaultKind).index(kind):08d}"
    sent_away = await simulator.recipient(phone)
    await simulator.fault(kind, phone)
    if kind is FaultKind.OUTDATED:  # concerns logins only
        await simulator.fault(FaultKind.DROP, phone)
    await sent_away.expects_event(event)
    await simulator.until_connected(phone, 0)
    await simulator.clear_faults()
    await sent_away.restart()  # logged out, it pairs again
    await simulator.until_connected(phone, 1)


async def test_a_client_that_was_refused_comes_back(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    await simulator.fault(FaultKind.REFUSE, BELA, count=1)
    await simulator.fault(FaultKind.DROP, BELA)
    await simulator.until_used_up(FaultKind.REFUSE)
    await asha.send(BELA, "after the refusal")
    await bela.expects("after the refusal", timeout=20)


async def test_a_second_client_of_an_account_is_found_by_those_who_know_the_first(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    await asha.send(BELA, "to one client")
    await bela.expects("to one client")
    stores, log = simulator.directory / "second", simulator.directory / "second.log"
    child = await Child.start(
        "simulator.phones", "--dir", str(simulator.directory), "--stores", str(stores), BELA, log=log
    )
    try:
        await asha.send(BELA, "to both clients")
        await bela.expects("to both clients", times=2)
    finally:
        await child.stop()
        await simulator.unlink(BELA, 2)


async def test_the_recipients_survive_the_death_of_their_process(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    os.kill((await simulator.state())["recipients_pid"], signal.SIGKILL)
    await simulator.until_connected(BELA, 0)
    await simulator.until_connected(BELA, 1, timeout=30)
    await asha.send(BELA, "after the death")
    await bela.expects("after the death")


async def test_a_large_group_of_light_members_confirms(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    light = [f"4918{number:08d}" for number in range(1022)]
    group = await simulator.create_group("All", ASHA, [BELA, *light], announce=True)
    message_id = await asha.send(group, "good morning, all")
    await bela.expects("good morning, all", timeout=30)
    await asha.expects_receipt(message_id, "delivered")
