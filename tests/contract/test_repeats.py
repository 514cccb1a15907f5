"""What the library repeats to a phone that could not decrypt, and that `worker.engine.repeats` says the same."""

import pytest

from simulator.client import Recipient, Simulator
from simulator.faults import FaultKind
from tests.kit.phones import new_phone
from tests.kit.web_world import WebWorld
from worker.engine.repeats import ASKED_LAST, REMEMBERED
from worker.events import Receipt
from worker.outcome import Accepted

pytestmark = pytest.mark.timeout(180)


async def test_the_library_remembers_as_many_sends_as_we_think(
    world: WebWorld, simulator: Simulator, asha: Recipient
) -> None:
    session = await world.link(new_phone())
    recipient = await simulator.recipient(new_phone(), client="phone")
    desktop = await simulator.recipient(recipient.phone, client="desktop")

    async def send(to: Recipient, text: str) -> str:
        outcome = await world.provider.send(world.claim(session, f"+{to.phone}", text))
        assert isinstance(outcome, Accepted)
        return outcome.wa_message_id

    await simulator.fault(FaultKind.DELAY, recipient.phone, seconds=600)
    await simulator.fault(FaultKind.GARBLE, recipient.phone, count=2, device=0)
    await simulator.fault(FaultKind.GARBLE, recipient.phone, count=1, device=1)
    forgotten = await send(recipient, "forgotten")
    await send(recipient, "remembered")
    for number in range(REMEMBERED - 1):
        await send(asha, f"later {number}")
    await simulator.clear_faults(FaultKind.DELAY)
    await simulator.fault(FaultKind.DROP, recipient.phone)
    told = await world.events.expects(Receipt, lambda event: event.type == "unreadable")
    assert (told.wa_message_ids, told.participant) == ((forgotten,), f"{recipient.phone}@s.whatsapp.net")
    await recipient.expects("remembered")
    await desktop.expects("remembered")
    assert recipient.times_received("forgotten") == desktop.times_received("forgotten") == 0
    # Both devices have asked for it by now, and only the phone's request is told.
    assert len(world.events.all(Receipt, lambda event: event.type == "unreadable")) == 1


async def test_a_phone_asks_as_often_as_we_think_and_then_no_more(world: WebWorld, simulator: Simulator) -> None:
    session = await world.link(new_phone())
    recipient = await simulator.recipient(new_phone(), client="phone")
    desktop = await simulator.recipient(recipient.phone, client="desktop")
    await simulator.fault(FaultKind.GARBLE, recipient.phone, count=1 + ASKED_LAST, device=0)
    for text in ("never", "later"):
        assert isinstance(await world.provider.send(world.claim(session, f"+{recipient.phone}", text)), Accepted)
        await desktop.expects(text)
        await simulator.until_used_up(FaultKind.GARBLE, phone=recipient.phone)
    await recipient.expects("later")
    await world.events.expects(Receipt, lambda event: event.type == "asks")
    assert recipient.times_received("never") == 0  # it would have had the answer to one more request
    assert not world.events.all(Receipt, lambda event: event.type == "unreadable")
