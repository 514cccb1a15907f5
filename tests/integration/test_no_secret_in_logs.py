"""Canaries: what a run carries is planted everywhere, and no log of any part holds any of it."""

import base64
import os
import secrets
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.drills.world import World, qr_text
from simulator.faults import FaultKind
from tests.conftest import MakeWorker, settled, until_delivered


def logs(world: World) -> list[Path]:
    """Every log of the world's parts; the recipients' ledger and the stores are no logs."""
    return [path for path in world.directory.rglob("*") if path.is_file() and ".log" in path.name]


@pytest.fixture
async def planted(world: World, make_worker: MakeWorker, new_phone: Callable[[], str]) -> dict[str, str]:
    """What a run that goes well and badly in many ways has carried, by name."""
    secret = secrets.token_hex
    account, ann, nobody, by_code = (new_phone() for _ in range(4))
    text, refused, inbound, media = (f"canary {secret(8)} {what}" for what in ("out", "refused", "in", "media"))
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    worker = make_worker(LOG_LEVEL="DEBUG", ENCRYPTION_KEY=key, POLL_INTERVAL="1")
    await worker.start()
    recipient = await world.simulator.recipient(ann)
    session = await world.add_account(f"Canary {secret(4)}")
    picture = await world.shown_qr(session)
    await world.simulator.scan(account, qr_text(picture))
    await world.until_status(session, "connected")
    other = await world.add_account("By code")
    await world.shown_qr(other)
    code = (await world.command(other, "pairing_code", phone=f"+{by_code}"))["result"]["code"]
    await world.simulator.enter_code(by_code, code)
    await world.until_status(other, "connected")

    def direct(body: str, phone: str = ann, **columns: str) -> dict[str, str]:
        return {"session_id": session, "recipient_phone": f"+{phone}", "message_content": body, **columns}

    group = await world.group(session, await world.simulator.create_group("Canaries", account, [ann]))
    to_group = {"session_id": session, "group_id": str(group["id"]), "message_content": text}
    await until_delivered(world, await world.schedule([direct(text), to_group]))
    await recipient.send(account, inbound)
    url = f"http://127.0.0.1:1/{media.replace(' ', '-')}"
    broken = direct(refused, media_kind="image", media_url=url)
    [unknown, unfetched] = await world.schedule([direct(refused, nobody), broken])
    await settled(world, unknown, "failed")
    await settled(world, unfetched, "failed")
    await world.simulator.fault(FaultKind.NACK, account, count=1, code=400)
    [nacked] = await world.schedule([direct(refused)])
    await settled(world, nacked, "failed")
    await world.command(session, "pairing_code", phone=f"+{nobody}")  # refused: it is linked
    os.kill(worker.engine_of(session), signal.SIGKILL)
    await until_delivered(world, await world.schedule([direct(text)]))
    assert await worker.stop() == 0
    sealing = await world.row("select herald.organization_secret(%s) as secret", world.organization)
    assert sealing
    return {
        "a message": text,
        "a refused message": refused,
        "an inbound message": inbound,
        "a media URL": url,
        "the account's number": account,
        "a recipient's number": ann,
        "a number that is not on WhatsApp": nobody,
        "the number linked by code": by_code,
        "the QR": qr_text(picture),
        "a part of the QR": qr_text(picture).split(",")[1],
        "the QR's picture": picture[-60:],
        "the pairing code": code,
        "the encryption key": key,
        "the organisation's part of it": sealing["secret"],
        "the service key": world.stack.secret_key,
        "the service key's JWT": "eyJ",  # of any role: tokens begin so
    }


async def test_no_log_holds_what_a_run_carries(world: World, planted: dict[str, str]) -> None:
    read = {path: path.read_text(errors="replace") for path in logs(world)}
    kinds = {path.name for path in read}
    assert {"simulator.log", "gateway.log", "postgres.log"} <= kinds, kinds
    assert sum(len(text) for name, text in read.items() if name.name.startswith("test-")) > 1000
    found = [
        f"{what} in {path.relative_to(world.directory)}: {line[:300]}"
        for path, text in read.items()
        for what, canary in planted.items()
        for line in text.splitlines()
        if canary in line
    ]
    assert found == []
