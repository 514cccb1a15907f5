"""The herald command beside a worker: what the operator sees, does, and what the audit keeps of it."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from localstack.layout import REPOSITORY
from simulator.client import Recipient
from tests.conftest import settled
from tests.kit.doctor import herald, herald_json
from tests.kit.phones import new_phone
from tests.kit.worker_process import Worker, until
from tests.kit.world import World, rows_of

DOUBTED = new_phone()  #: to whom a message may have gone out


@pytest.fixture(scope="module")
async def account(world: World, worker: Worker) -> str:  # noqa: ARG001 - it serves
    """A connected account, which every test leaves connected; its id."""
    return await world.link("Front desk", new_phone())


@pytest.fixture
async def idle_account(world: World) -> str:
    """An account that is linked to no phone; its id."""
    row = {"organization_id": world.organization, "display_name": "Back room"}
    return str(rows_of(await world.admin.table("whatsapp_sessions").insert(row).execute())[0]["id"])


@pytest.fixture(scope="module")
async def recipient(world: World) -> Recipient:
    return await world.simulator.recipient(new_phone())


@pytest.fixture
def text() -> str:
    """One that no other test sends."""
    return f"The kiln is hot and nobody else may read this: {uuid4()}"


async def queued(world: World, account: str, phone: str, text: str, **columns: Any) -> str:
    row = {"session_id": account, "recipient_phone": f"+{phone}", "message_content": text, **columns}
    [message] = await world.schedule([row])
    return message


@pytest.fixture
async def doubtful(world: World, idle_account: str, text: str) -> str:
    """A message of which nobody knows whether it left. Nobody serves its account, so it stays where it is put."""
    message = await queued(world, idle_account, DOUBTED, text)
    for step in ("status = 'sending'", "status = 'in_doubt', error_code = 'wa-timeout'"):
        await world.rows(
            f"update public.scheduled_whatsapp_messages set {step} where id = %s returning id", message
        )
    return message


async def audited(world: World, event: str, message: str) -> list[dict[str, Any]]:
    return await world.rows(
        "select event_data from public.whatsapp_audit_logs"
        " where event_type = %s and event_data ->> 'message_id' = %s",
        *(event, message),
    )


async def test_a_test_message_arrives_and_each_step_is_shown(
    world: World, worker: Worker, account: str, recipient: Recipient, text: str
) -> None:
    arguments = (account[:8], "--to", f"+{recipient.phone}", "--text", text, "--delivered")
    code, output = await herald(worker.environment, "send", *arguments)
    assert (code, output.count("queued as")) == (0, 1), output
    assert "sent: WhatsApp has it" in output
    assert "delivered: a phone has it" in output
    await recipient.expects(text)
    assert recipient.times_received(text) == 1
    assert recipient.phone not in output
    rows = await world.rows("select 1 from public.whatsapp_audit_logs where event_type = 'message.queued'")
    assert rows


async def test_the_same_key_sends_once(worker: Worker, account: str, recipient: Recipient, text: str) -> None:
    arguments = ("send", account, "--to", f"+{recipient.phone}", "--text", text, "--key", str(uuid4()))
    first = await herald_json(worker.environment, *arguments)
    again = await herald_json(worker.environment, *arguments)
    assert (first[0], again[0], first[1]["id"]) == (0, 0, again[1]["id"])
    assert text not in json.dumps(first[1])
    await recipient.expects(text)
    assert recipient.times_received(text) == 1


async def test_what_does_not_go_says_why_and_stays(
    worker: Worker, account: str, recipient: Recipient, text: str
) -> None:
    code, output = await herald(worker.environment, "sessions", "pause", account, "--for", "30")
    assert (code, "sends nothing until" in output) == (0, True)
    code, output = await herald(
        worker.environment, "send", account, "--to", f"+{recipient.phone}", "--text", text, "--wait", "1"
    )
    assert (code, "waits: The account is paused." in output, "herald queue why" in output) == (1, True, True)
    assert (await herald(worker.environment, "sessions", "resume", account))[0] == 0
    await recipient.expects(text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--to", "12"), "no phone number"),
        (("--group", str(uuid4())), "group"),
        (("--to", "+491709876567", "--text", "x" * 70_000), "long"),
    ],
)
async def test_what_can_not_be_sent_is_told_in_words(
    worker: Worker, account: str, arguments: tuple[str, ...], words: str
) -> None:
    code, output = await herald(worker.environment, "send", account, *arguments)
    assert (code, output.startswith("herald: "), words in output.lower()) == (1, True, True), output


async def test_an_account_is_disconnected_and_connected_again(world: World, worker: Worker, account: str) -> None:
    assert (await herald(worker.environment, "sessions", "disconnect", account[:6]))[0] == 0
    await world.until_status(account, "disconnected")
    assert (await herald(worker.environment, "sessions", "connect", account[:6]))[0] == 0
    await world.until_status(account, "connected")
    code, shown = await herald_json(worker.environment, "sessions", "show", account)
    assert (code, shown["worker"], shown["status"]) == (0, worker.worker_id, "connected")
    code, found = await herald_json(worker.environment, "sessions", "--org", world.organization)
    assert account in [one["id"] for one in found["sessions"]]
    assert worker.worker_id in [one["worker_id"] for one in found["workers"]]
    _, rows = await herald_json(worker.environment, "audit", "--account", account, "--event", "session.operated")
    wanted = [state for row in rows if (state := row["event_data"].get("desired_state"))]
    assert wanted == ["disconnected", "connected"]
    assert all("@" in row["event_data"]["operator"] for row in rows)


async def test_an_account_that_is_not_there_is_refused(worker: Worker) -> None:
    for command in (
        ("sessions", "pause", "00000000"),
        ("sessions", "show", "0000"),
        ("audit", "--account", "000"),
    ):
        code, output = await herald(worker.environment, *command)
        assert (code, "herald sessions lists them" in output) == (1, True)


async def test_the_queue_is_listed_without_texts_and_numbers(
    world: World, worker: Worker, doubtful: str, text: str
) -> None:
    message = doubtful
    code, output = await herald({**worker.environment, "COLUMNS": "100"}, "queue", "list", "--status", "in_doubt")
    assert (code, message in output, "wa-timeout" in output) == (0, True, True), output
    assert text not in output
    assert DOUBTED not in output
    _, overview = await herald_json(worker.environment, "queue", "--org", world.organization)
    assert overview[0]["in_doubt"] >= 1
    code, output = await herald(worker.environment, "queue", "why", message)
    assert "It may or may not have gone out" in output or "wa-timeout" in output, output
    assert f"herald queue settle {message} --as sent" in output


@pytest.mark.parametrize(
    ("verdict", "event"),
    [("sent", "message.settled"), ("failed", "message.settled"), ("pending", "message.retried")],
)
async def test_a_doubt_is_settled_by_the_operator(
    world: World, worker: Worker, doubtful: str, verdict: str, event: str
) -> None:
    message = doubtful
    code, output = await herald(worker.environment, "queue", "settle", message, "--as", verdict, "--yes")
    assert (code, output) == (0, f"{message} is {verdict} now; it was in doubt.\n")
    row = await world.row("select * from public.scheduled_whatsapp_messages where id = %s", message)
    assert row
    assert row["status"] == verdict
    [kept] = await audited(world, event, message)
    assert kept["event_data"]["operator"]
    code, output = await herald(worker.environment, "queue", "settle", message, "--as", verdict, "--yes")
    assert (code, output) == (0, f"{message} was {verdict} already.\n")


async def test_a_doubt_is_not_sent_again_by_the_way(world: World, worker: Worker, doubtful: str) -> None:
    message = doubtful
    for command in (("queue", "retry", message), ("queue", "settle", message, "--as", "pending")):
        code, output = await herald(worker.environment, *command)
        assert (code, "may have gone out" in output) == (1, True)
    await settled(world, message, "in_doubt", seconds=1)


async def test_a_step_that_is_not_a_persons_is_refused(
    world: World, worker: Worker, account: str, recipient: Recipient, text: str
) -> None:
    message = await queued(world, account, recipient.phone, text)
    await settled(world, message, "delivered", "read")
    for command in (("cancel",), ("retry",), ("settle", "--as", "failed")):
        code, output = await herald(worker.environment, "queue", command[0], message, *command[1:])
        assert (code, output.startswith("herald: ")) == (1, True), output
    waiting = await queued(world, account, recipient.phone, text, scheduled_for="2040-01-01T10:00:00Z")
    assert (await herald(worker.environment, "queue", "cancel", waiting))[0] == 0
    await settled(world, waiting, "cancelled")


async def test_a_failed_message_is_tried_again(
    world: World, worker: Worker, account: str, recipient: Recipient, text: str
) -> None:
    environment = worker.environment
    message = await queued(world, account, recipient.phone, text, scheduled_for="2040-01-01T10:00:00Z")
    await world.rows(
        "update public.scheduled_whatsapp_messages set status = 'failed', error_code = 'wa-rejected',"
        " scheduled_for = now() where id = %s returning id",
        message,
    )
    _, listed = await herald_json(environment, "queue", "list", "--status", "failed", "--org", world.organization)
    assert message in [one["id"] for one in listed]
    assert (await herald(environment, "queue", "retry", message))[0] == 0
    await recipient.expects(text)


def hears_ctrl_c() -> None:
    """What a shell runs in the background ignores it, and so would these tests' children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@asynccontextmanager
async def watching(environment: dict[str, str], *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker.cli", *arguments),
        cwd=REPOSITORY,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=hears_ctrl_c,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_with(process: asyncio.subprocess.Process, words: str) -> str:
    """The next line of its output that has the words."""
    assert process.stdout
    async with asyncio.timeout(20):
        while line := (await process.stdout.readline()).decode():
            if words in line:
                return line
    raise AssertionError(f"it ended without {words!r}")


async def test_watch_tells_in_lines_and_ends_cleanly(world: World, worker: Worker, account: str) -> None:
    async with watching(worker.environment, "watch", "--every", "0.3", "--org", world.organization) as watch:
        assert "accounts=" in await line_with(watch, "workers=1")
        await herald(worker.environment, "sessions", "disconnect", account)
        assert "connected → disconnected" in await line_with(watch, f"account {account}")
        watch.send_signal(signal.SIGINT)
        rest, _ = await asyncio.wait_for(watch.communicate(), 10)
        assert (watch.returncode, b"Traceback" in rest) == (0, False)
    code, output = await herald(worker.environment, "sessions", "connect", account)
    assert code == 0, output
    await world.until_status(account, "connected")


async def test_watch_fills_a_terminal_and_gives_it_back(worker: Worker, idle_account: str) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker.cli", "watch", "--every", "0.3"),
        cwd=REPOSITORY,
        env={**worker.environment, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=hears_ctrl_c,
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    screen = b""

    async def shows(words: bytes) -> bool | None:
        nonlocal screen
        try:
            screen += os.read(ours, 65536)
        except (BlockingIOError, OSError):
            return None
        return words in screen or None

    await until(lambda: shows(idle_account[:8].encode()), 20, "the account on the screen")
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    await until(lambda: shows(b"\x1b[?1049l"), 5, "the screen that was there before")
    assert b"\x1b[?25h" in screen, "the cursor is shown again"
    assert b"Traceback" not in screen
    os.close(ours)


async def test_the_audit_is_followed(worker: Worker, idle_account: str) -> None:
    async with watching(worker.environment, "audit", "--follow", "--account", idle_account) as audit:
        await line_with(audit, "session.created")
        await herald(worker.environment, "sessions", "pause", idle_account, "--reason", "Kiln repair")
        assert idle_account[:8] in await line_with(audit, "session.paused")
        audit.send_signal(signal.SIGINT)
        await asyncio.wait_for(audit.communicate(), 10)
        assert audit.returncode == 0
