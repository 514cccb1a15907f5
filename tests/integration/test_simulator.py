"""The simulator, joined by real client libraries that pair, encrypt and decrypt."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from simulator.client import Recipient, Simulator, SimulatorRefused
from simulator.faults import FaultKind
from simulator.process import REPOSITORY, Child

ASHA, BELA, LIGHT = "491511111111", "491522222222", "491533333333"


@pytest.fixture
async def group(simulator: Simulator, asha: Recipient, bela: Recipient) -> str:
    return await simulator.create_group("Pottery", asha.phone, [bela.phone, LIGHT])


async def test_a_group_message_is_decrypted_by_each_member(asha: Recipient, bela: Recipient, group: str) -> None:
    await asha.send(group, "we are live")
    received = await bela.expects("we are live")
    assert (received.chat, received.sender_phone, received.kind) == (group, ASHA, "text")
    await bela.send(group, "hooray")
    await asha.expects("hooray")
    assert bela.times_received("we are live") == 1


async def test_a_direct_message_goes_both_ways(asha: Recipient, bela: Recipient) -> None:
    await asha.send(BELA, "just for you")
    await bela.expects("just for you")
    await bela.send(ASHA, "thank you")
    await asha.expects("thank you")


async def test_an_image_arrives_byte_for_byte(asha: Recipient, bela: Recipient, group: str) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(picture, "JPEG")
    image = picture.getvalue()
    await asha.send(group, "a red square", image=image)
    received = await bela.expects("a red square")
    assert (received.kind, received.media_bytes) == ("image", len(image))
    assert received.media_sha256 == hashlib.sha256(image).hexdigest()


async def test_a_client_pairs_by_the_code_typed_on_the_phone(simulator: Simulator, asha: Recipient) -> None:
    chand = await simulator.recipient("491544444444", "Chand", by_code=True)
    await asha.send(chand.phone, "welcome")
    await chand.expects("welcome")


async def test_a_code_that_nobody_shows_is_refused(simulator: Simulator) -> None:
    with pytest.raises(SimulatorRefused, match="no client asked for a code"):
        await simulator.enter_code("491599999999", "ABCD-EFGH")


async def test_receipts_tell_delivery_and_reading(asha: Recipient, bela: Recipient) -> None:
    message_id = await asha.send(BELA, "read me")
    await bela.expects("read me")
    await asha.expects_receipt(message_id, "inactive")
    await bela.read(message_id)
    await asha.expects_receipt(message_id, "read")


async def test_recipients_reply_and_react(asha: Recipient, bela: Recipient, group: str) -> None:
    message_id = await asha.send(group, "who is coming?")
    await bela.expects("who is coming?")
    await bela.send(group, "I am", reply_to=message_id)
    assert (await asha.expects("I am")).chat == group
    await bela.react(message_id, "🎉")
    assert (await asha.expects("🎉")).kind == "reaction"


async def test_a_light_phone_confirms_and_reads(simulator: Simulator, asha: Recipient) -> None:
    await simulator.account(LIGHT)
    message_id = await asha.send(LIGHT, "can you see this?")
    await asha.expects_receipt(message_id, "delivered")
    assert message_id in await simulator.read(LIGHT)
    await asha.expects_receipt(message_id, "read")


async def test_the_own_phone_confirms_what_its_client_sent(
    simulator: Simulator, asha: Recipient, group: str
) -> None:
    await simulator.phone_offline(ASHA)
    while_away = await asha.send(group, "sent while my phone was off")
    assert (await simulator.show(ASHA))["own_phone"]["waiting"] == 1
    await simulator.phone_online(ASHA)
    await asha.expects_receipt(while_away, "sender")


async def test_a_refused_message_is_told_to_its_sender(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    await simulator.fault(FaultKind.NACK, ASHA, count=1, code=479)
    with pytest.raises(SimulatorRefused, match="479"):
        await asha.send(BELA, "refused")
    await asha.send(BELA, "taken")
    await bela.expects("taken")
    assert bela.times_received("refused") == 0


async def test_a_dropped_client_comes_back_by_itself(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    await simulator.fault(FaultKind.DROP, BELA)
    await asha.send(BELA, "after the drop")
    await bela.expects("after the drop")


@asynccontextmanager
async def own_process(simulator: Simulator, phone: str) -> AsyncIterator[Child]:
    """A recipient in a process of its own, ended by force."""
    directory = str(simulator.directory)
    log = simulator.directory / f"{phone}.log"
    child = await Child.start("simulator.phones", "--dir", directory, phone, log=log)
    try:
        yield child
    finally:
        os.kill(child.pid, signal.SIGKILL)
        await child.ended()


async def test_what_came_while_a_client_was_dead_is_delivered_at_its_next_login(
    simulator: Simulator, asha: Recipient
) -> None:
    dev = "491555555555"
    async with own_process(simulator, dev):
        await asha.send(dev, "before the kill")
        await simulator.ledger.wait_for(dev, "before the kill")
    await simulator.until_connected(dev, 0)
    for text in ("first while away", "second while away"):
        await asha.send(dev, text)
    async with own_process(simulator, dev):
        await simulator.ledger.wait_for(dev, "second while away")
    texts = [entry.text for entry in simulator.ledger.received(dev)]
    assert texts == ["before the kill", "first while away", "second while away"]


async def test_an_independent_library_decrypts_the_same_group(
    simulator: Simulator, asha: Recipient, bela: Recipient
) -> None:
    if not (node := shutil.which("node")):
        pytest.skip("needs node")
    esha = "491566666666"
    process = await asyncio.create_subprocess_exec(
        *(node, str(Path(__file__).parent / "baileys/recipient.mjs"), str(simulator.file)),
        *(esha, str(simulator.directory / "baileys")),
        cwd=REPOSITORY,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(simulator.endpoint.ca)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"open\n"
        group = await simulator.create_group("Mixed", ASHA, [BELA, esha])
        await asha.send(group, "for both libraries")
        await bela.expects("for both libraries")
        received = await simulator.ledger.wait_for(esha, "for both libraries")
        assert received.chat == group
    finally:
        process.kill()
        await process.communicate()


async def test_the_launcher_leaves_standard_output_to_the_engine(simulator: Simulator) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator.launch_engine", "--simulator", str(simulator.file)),
        *("--", "base64", "-e"),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(b"\0frame"), 20)
    assert (said, process.returncode) == (b"AGZyYW1l\n", 0)
