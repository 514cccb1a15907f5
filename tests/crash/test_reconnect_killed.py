"""A worker is killed in the middle of closing an account's connection to open it again."""

import asyncio
import os
import secrets
import signal
from collections.abc import Callable
from contextlib import suppress

import aiohttp

from tests.conftest import MakeWorker, until_delivered
from tests.kit.worker_process import until
from tests.kit.world import World

KEY = f"proxy-{secrets.token_hex(16)}"
FAST = {"LEASE_SECONDS": "3", "HEARTBEAT_SECONDS": "0.5", "POLL_INTERVAL": "0.5"}


async def test_an_account_whose_worker_dies_while_it_reconnects_is_opened_by_the_next(
    world: World, new_phone: Callable[[], str], make_worker: MakeWorker
) -> None:
    first = make_worker(API_KEY=KEY, **FAST)
    await first.start()
    session = await world.link("Reconnected", new_phone())
    recipient = await world.simulator.recipient(new_phone())
    engine = first.engine_of(session)
    os.kill(engine, signal.SIGSTOP)  # so that closing takes longer than the worker lives
    call = asyncio.create_task(_reconnect(world, first.port, session))
    await until(
        lambda: world.row(
            "select id from public.whatsapp_sessions where id = %s"
            " and (status <> 'connected' or desired_state <> 'connected')",
            session,
        ),
        15,
        "an account that is being closed",
    )
    await first.kill()
    os.kill(engine, signal.SIGCONT)
    with suppress(aiohttp.ClientError):
        await call
    ids = await world.schedule(
        [{"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": "After the kill"}]
    )
    second = make_worker(**FAST)
    await second.start()
    row = await world.until_status(session, "connected")
    assert row["desired_state"] == "connected"
    await until_delivered(world, ids)
    assert recipient.times_received("After the kill") == 1


async def _reconnect(world: World, port: int, session: str) -> None:
    signed_in = await world.admin.auth.get_session()
    assert signed_in
    headers = {"X-API-Key": KEY, "Authorization": f"Bearer {signed_in.access_token}"}
    url = f"http://127.0.0.1:{port}/api/auth/reconnect?wait=30"
    async with aiohttp.ClientSession() as http, http.post(url, headers=headers, json={"session_id": session}):
        pass
