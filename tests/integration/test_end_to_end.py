"""From a row in Supabase to a message on a phone, and back: every part is real but WhatsApp's servers."""

import asyncio
import base64
import io
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from localstack.layout import REPOSITORY
from simulator.client import Simulator
from tests.conftest import counted, settled
from tests.kit.worker_process import Worker, until
from tests.kit.world import World, qr_text

pytestmark = pytest.mark.usefixtures("worker")


def red_square() -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(picture, "JPEG")
    return picture.getvalue()


@asynccontextmanager
async def baileys(simulator: Simulator, phone: str) -> AsyncIterator[None]:
    """A recipient with an independent client library."""
    node = shutil.which("node")
    assert node, "needs node: run scripts/setup"
    process = await asyncio.create_subprocess_exec(
        *(node, str(Path(__file__).parent / "baileys/recipient.mjs"), str(simulator.file)),
        *(phone, str(simulator.directory / f"baileys-{phone}")),
        cwd=REPOSITORY,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(simulator.endpoint.ca)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 20) == b"open\n"
        yield
    finally:
        process.kill()
        await process.communicate()


async def test_an_admin_links_an_account_by_the_picture_in_its_row(
    world: World, new_phone: Callable[[], str]
) -> None:
    phone = new_phone()
    session = await world.add_account("Front desk")
    picture = await world.shown_qr(session)
    row = await world.until_status(session, "qr_pending")
    left = row["qr_expires_at"] - datetime.now(UTC)
    assert timedelta(0) < left <= timedelta(seconds=60)
    await world.simulator.scan(phone, qr_text(picture))
    row = await world.until_status(session, "connected")
    assert (row["phone_number"], row["qr_code"], row["last_error"]) == (f"+{phone}", None, None)


@pytest.mark.full  # the library renews the first QR after a minute
async def test_a_qr_that_nobody_scans_is_renewed(world: World, new_phone: Callable[[], str]) -> None:
    session = await world.add_account("Slow admin")
    first = await world.shown_qr(session)

    async def look() -> str | None:
        shown = await world.shown_qr(session)
        return shown if shown != first else None

    renewed = await until(look, 70, "another QR")
    await world.simulator.scan(new_phone(), qr_text(renewed))
    await world.until_status(session, "connected")


async def test_an_admin_links_an_account_by_the_code_that_the_row_of_a_command_shows(
    world: World, new_phone: Callable[[], str]
) -> None:
    phone = new_phone()
    session = await world.add_account("By code")
    await world.shown_qr(session)
    command = await world.command(session, "pairing_code", phone=f"+{phone}")
    assert command["error_message"] is None
    await world.simulator.enter_code(phone, command["result"]["code"])
    row = await world.until_status(session, "connected")
    assert row["phone_number"] == f"+{phone}"


async def test_one_text_reaches_a_group_of_three_clients_of_two_libraries_once(
    world: World, new_phone: Callable[[], str]
) -> None:
    account, ann, ben, esha = (new_phone() for _ in range(4))
    simulator = world.simulator
    members = [await simulator.recipient(phone) for phone in (ann, ben)]
    async with baileys(simulator, esha):
        session = await world.link("Pottery studio", account)
        jid = await simulator.create_group("Pottery", account, [ann, ben, esha])
        group = await world.group(session, jid)
        assert (group["group_name"], group["participant_count"], group["is_admin"]) == ("Pottery", 4, True)
        [message] = await world.schedule(
            [{"session_id": session, "group_id": group["id"], "message_content": "The kiln is hot"}]
        )
        for member in members:
            received = await member.expects("The kiln is hot")
            assert (received.chat, received.sender_phone) == (jid, account)
        assert (await simulator.ledger.wait_for(esha, "The kiln is hot")).chat == jid
        row = await counted(world, message, delivered=3)
        assert (row["status"], row["error_code"]) == ("delivered", None)
        assert row["sent_at"] <= row["delivered_at"] + timedelta(seconds=1)
        for phone in (ann, ben, esha):
            assert simulator.ledger.times_received(phone, "The kiln is hot") == 1


async def test_a_row_tells_how_many_have_read_it(world: World, new_phone: Callable[[], str]) -> None:
    account, ann, ben = (new_phone() for _ in range(3))
    recipients = [await world.simulator.recipient(phone) for phone in (ann, ben)]
    session = await world.link("Readers", account)
    group = await world.group(session, await world.simulator.create_group("Readers", account, [ann, ben]))
    [message] = await world.schedule(
        [{"session_id": session, "group_id": group["id"], "message_content": "Please read"}]
    )
    row = await counted(world, message, delivered=2)
    assert row["status"] == "delivered"
    await recipients[0].read()
    row = await counted(world, message, delivered=2, read=1)
    assert row["status"] == "read"
    await recipients[1].read()
    await counted(world, message, delivered=2, read=2)
    logs = await world.rows("select recipient from public.whatsapp_delivery_logs where message_id = %s", message)
    assert {log["recipient"].partition("@")[0] for log in logs} == {ann, ben}


async def test_an_image_arrives_with_its_caption(world: World, new_phone: Callable[[], str]) -> None:
    account, ann = new_phone(), new_phone()
    recipient = await world.simulator.recipient(ann)
    session = await world.link("Pictures", account)
    image = red_square()
    [message] = await world.schedule(
        [
            {
                "session_id": session,
                "recipient_phone": f"+{ann}",
                "message_content": "A red square",
                "media_kind": "image",
                "media_url": f"data:image/jpeg;base64,{base64.b64encode(image).decode()}",
            }
        ]
    )
    received = await recipient.expects("A red square")
    assert (received.kind, received.media_bytes) == ("image", len(image))
    await settled(world, message, "delivered")


async def test_a_direct_text_is_delivered_and_read(world: World, new_phone: Callable[[], str]) -> None:
    account, ann = new_phone(), new_phone()
    recipient = await world.simulator.recipient(ann)
    session = await world.link("Direct", account)
    [message] = await world.schedule(
        [{"session_id": session, "recipient_phone": f"+{ann}", "message_content": "Just for you"}]
    )
    await recipient.expects("Just for you")
    row = await settled(world, message, "delivered")
    assert row["delivered_count"] == 1
    await recipient.read()
    row = await settled(world, message, "read")
    assert (row["read_count"], recipient.times_received("Just for you")) == (1, 1)


async def test_a_member_of_the_organisation_never_sees_the_key_to_the_account(
    world: World, worker: Worker, new_phone: Callable[[], str]
) -> None:
    _, stranger = await world.found_organization("Elsewhere", f"admin-{new_phone()}@elsewhere.example")
    session = await world.add_account("Private")
    await world.shown_qr(session)
    assert (await stranger.table("whatsapp_sessions").select("id").eq("id", session).execute()).data == []
    assert (await worker.health() or {})["live"]
