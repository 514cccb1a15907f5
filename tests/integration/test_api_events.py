"""What a CRM sees over WS /api/events while an account is linked, writes, is written to and goes away."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.conftest import MakeWorker
from tests.kit.event_listener import Listener
from tests.kit.world import World, qr_text

KEY = f"proxy-{secrets.token_hex(16)}"


@asynccontextmanager
async def listening(world: World, port: int) -> AsyncIterator[Listener]:
    """The organisation's admin's browser, connected to a worker and told of every account."""
    session = await world.admin.auth.get_session()
    assert session
    protocols = ("herald.v1", f"bearer.{session.access_token}")
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"http://127.0.0.1:{port}/api/events", protocols=protocols) as socket,
    ):
        listener = Listener(socket)
        await listener.subscribe()
        yield listener


@pytest.mark.parametrize("through", ["its own worker", "another worker"])
async def test_an_accounts_life_is_seen_as_it_happens(
    world: World, new_phone: Callable[[], str], make_worker: MakeWorker, through: str
) -> None:
    account, ann = new_phone(), new_phone()
    holder = make_worker(API_KEY=KEY)
    other = make_worker(API_KEY=KEY)
    await holder.start()
    await holder.until_serving(0)
    session = await world.add_account("Watched")
    await world.shown_qr(session)  # so that the first worker holds it
    await other.start()
    await other.until_serving(0)
    asha = await world.simulator.recipient(ann, "Asha")

    port = holder.port if through == "its own worker" else other.port
    async with listening(world, port) as listener:
        (shown,) = [row for row in listener.told[-1]["sessions"] if row["id"] == session]
        assert shown["status"] == "qr_pending"
        await world.simulator.scan(account, qr_text(shown["qr_code"]))
        success = await listener.until("connection_success", session_id=session)
        assert success["phone_number"] == f"+{account}"
        row = {"session_id": session, "recipient_phone": f"+{ann}", "message_content": "seen by all"}
        [message] = await world.schedule([row])
        await listener.until("message_status", message_id=message, status="delivered")
        await asha.read()
        await listener.until("message_status", message_id=message, status="read")
        await world.simulator.unlink(account)
        lost: dict[str, Any] = await listener.until("connection_lost", session_id=session)
        assert "unlinked this device" in lost["reason"]
        mine = [said["status"] for said in listener.told if said.get("message_id") == message]
        assert mine == sorted(
            mine, key=["sending", "sent", "delivered", "read"].index
        )  # a receipt may be quicker than "sent"
