"""A recipient whose phone is a real client, device 0, with others linked to it."""

from simulator.client import Simulator
from simulator.faults import FaultKind
from tests.kit import phones


async def test_the_phone_itself_decrypts_and_so_does_each_client_of_it(simulator: Simulator) -> None:
    number = phones.new_phone()
    phone = await simulator.recipient(number, "Dora", client="phone")
    desktop = await simulator.recipient(number, client="desktop")
    sender = await simulator.recipient(phones.new_phone())
    message = await sender.send(number, "to all of you")
    await phone.expects("to all of you")
    await desktop.expects("to all of you")
    await sender.expects_receipt(message, "inactive")  # delivered, and nobody looks at it
    assert [device["device"] for device in (await simulator.show(number))["devices"]] == [0, 1]


async def test_one_device_alone_is_garbled_and_gets_it_again(simulator: Simulator) -> None:
    number = phones.new_phone()
    phone = await simulator.recipient(number, client="phone")
    desktop = await simulator.recipient(number, client="desktop")
    sender = await simulator.recipient(phones.new_phone())
    await simulator.fault(FaultKind.GARBLE, number, count=1, device=0)
    message = await sender.send(number, "garbled once")
    await desktop.expects("garbled once")
    told = await sender.expects_receipt(message, "retry")
    assert told["by"].partition("@")[0] == "9" + number[::-1]  # the phone: no device part
    await phone.expects("garbled once")
    assert (phone.times_received("garbled once"), desktop.times_received("garbled once")) == (1, 1)
