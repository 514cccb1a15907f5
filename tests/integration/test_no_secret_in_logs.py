"""Canaries: what a run carries is planted everywhere; no log, no error's answer and no metric holds any of it."""

import base64
import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.faults import FaultKind
from tests.conftest import settled, until_delivered, workers
from tests.integration.canary_calls import Answers, Canaries, ask_all
from tests.kit.world import World, qr_text


def logs(world: World) -> list[Path]:
    """Every log of the world's parts; the recipients' ledger and the stores are no logs."""
    return [path for path in world.directory.rglob("*") if path.is_file() and ".log" in path.name]


@dataclass(frozen=True)
class Run:
    """planted: what it has carried, by name. answers: what the doors said to calls that went wrong."""

    planted: Mapping[str, str]
    answers: Answers


def found(planted: Mapping[str, str], texts: Mapping[str, str]) -> Iterator[str]:
    """Name every canary that stands in a text, with the line."""
    for where, text in texts.items():
        for what, canary in planted.items():
            for line in text.splitlines():
                if canary in line:
                    yield f"{what} in {where}: {line[:300]}"


@pytest.fixture(scope="module")
async def canary_run(world: World) -> Run:
    """A run that goes well and badly in many ways."""
    secret = secrets.token_hex
    # Numbers of its own form, so that they are found in texts of any kind.
    account, ann, nobody, by_code = (f"49171{secrets.randbelow(10**7):07d}" for _ in range(4))
    text, refused, inbound, media, wrong = (
        f"canary {secret(8)} {what}" for what in ("out", "refused", "in", "media", "wrong")
    )
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    api_key, cron_secret, nobodys_key, once = (secret(24) for _ in range(4))
    token = ".".join(base64.urlsafe_b64encode(secrets.token_bytes(60)).decode() for _ in range(3))
    async with workers(world) as make_worker:
        worker = make_worker(
            LOG_LEVEL="DEBUG", ENCRYPTION_KEY=key, POLL_INTERVAL="1", API_KEY=api_key, API_SENDS_PER_MINUTE="1000"
        )
        world.stack.set_function_secrets(
            VPS_URL=f"http://127.0.0.1:{worker.port}", VPS_API_KEY=api_key, CRON_SECRET=cron_secret
        )
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
        sent = await world.schedule([direct(text, idempotency_key=once), {**to_group, "idempotency_key": None}])
        await until_delivered(world, sent)
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
        answers = await ask_all(
            world,
            worker,
            Canaries(
                text=wrong,
                phone=nobody,
                token=token,
                key=nobodys_key,
                api_key=api_key,
                session=session,
                sent=sent[0],
                idempotency_key=once,
            ),
            cron_secret,
        )
        assert await worker.stop() == 0
    sealing = await world.row("select herald.organization_secret(%s) as secret", world.organization)
    assert sealing
    return Run(
        {
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
            "the API's key": api_key,
            "a wrong API key": nobodys_key,
            "the scheduler's secret": cron_secret,
            "a wrong token": token[:60],
            "the text of a wrong call": wrong,
            "the text of a wrong call, in a URL": wrong.replace(" ", "%20"),
        },
        answers,
    )


async def test_no_log_holds_what_a_run_carries(world: World, canary_run: Run) -> None:
    read = {str(path.relative_to(world.directory)): path.read_text(errors="replace") for path in logs(world)}
    kinds = {Path(path).name for path in read}
    assert {"simulator.log", "gateway.log", "postgres.log", "functions.log"} <= kinds, kinds
    assert sum(len(text) for name, text in read.items() if Path(name).name.startswith("test-")) > 1000
    assert list(found(canary_run.planted, read)) == []


async def test_no_refusal_holds_what_a_call_carried(canary_run: Run) -> None:
    errors = canary_run.answers.errors
    for door in ("worker:", "proxy:", "queue-whatsapp", "process-whatsapp-queue", "session-cleanup"):
        assert any(what.startswith(door) for what in errors), door
    assert len(errors) >= 60
    assert list(found(canary_run.planted, errors)) == []


async def test_nothing_that_everyone_may_read_holds_what_a_run_carried(canary_run: Run) -> None:
    open_to_all = {what: text for what, text in canary_run.answers.texts.items() if what[0] == "/"}
    assert {what.partition(" ")[0] for what in open_to_all} == {"/metrics", "/health", "/openapi.json", "/docs"}
    assert "herald_api_request_seconds" in str(open_to_all)
    assert list(found(canary_run.planted, open_to_all)) == []
