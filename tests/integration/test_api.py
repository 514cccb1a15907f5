"""The worker's API with real workers behind it: from the QR code to the message on a phone, and through a stop."""

import asyncio
import base64
import secrets
from collections.abc import Callable
from typing import Any

import aiohttp

from tests.conftest import MakeWorker
from tests.kit.worker_process import Worker, free_port, until
from tests.kit.world import Row, World, qr_text

KEY = f"proxy-{secrets.token_hex(16)}"


class Client:
    """Calls a port as the organisation's admin; each call on a connection of its own."""

    def __init__(self, world: World, port: int) -> None:
        self._world = world
        self._url = f"http://127.0.0.1:{port}"

    async def ask(self, method: str, path: str, body: Row | None = None, **headers: str) -> tuple[int, Any, bytes]:
        session = await self._world.admin.auth.get_session()
        assert session
        sent = {"X-API-Key": KEY, "Authorization": f"Bearer {session.access_token}", **headers}
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http,
            http.request(method, self._url + path, headers=sent, json=body) as answer,
        ):
            raw = await answer.read()
            return answer.status, await answer.json() if "json" in answer.content_type else None, raw


async def test_an_account_is_linked_used_and_unlinked_through_the_api(
    world: World, new_phone: Callable[[], str], make_worker: MakeWorker
) -> None:
    worker = make_worker(API_KEY=KEY, API_SENDS_PER_MINUTE="1000")
    await worker.start()
    await worker.until_serving(0)
    api, phone, friend = Client(world, worker.port), new_phone(), new_phone()
    asha = await world.simulator.recipient(friend, "Asha")

    status, shown, _ = await api.ask("POST", "/api/auth/connect", {"display_name": "Front desk"})
    assert (status, shown["status"]) == (201, "qr_pending"), shown
    account = {"session_id": shown["id"]}
    status, _, picture = await api.ask("GET", f"/api/auth/qr?session_id={shown['id']}", Accept="image/png")
    assert (status, picture[:8]) == (200, b"\x89PNG\r\n\x1a\n")
    # The phone scans what the picture shows, as a browser would show it.
    data_uri = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    await world.simulator.scan(phone, qr_text(data_uri))
    await world.until_status(shown["id"], "connected")
    status, said, _ = await api.ask("GET", f"/api/auth/status?session_id={shown['id']}")
    assert said["accounts"][0]["phone_number"] == f"+{phone}"
    status, said, _ = await api.ask("POST", "/api/auth/connect", account)
    assert (status, said["status"]) == (200, "connected"), "connecting what is connected changes nothing"
    status, said, _ = await api.ask("GET", f"/api/auth/qr?session_id={shown['id']}")
    assert (status, said["code"]) == (404, "no-qr")

    body = {"to": {"phone": f"+{friend}"}, "text": "See you at six", "session_id": shown["id"]}
    status, said, _ = await api.ask("POST", "/api/send?wait=15", body, **{"Idempotency-Key": "six-o-clock"})
    assert (status, said["message"]["status"] in ("sent", "delivered")) == (201, True), said
    await asha.expects("See you at six")
    status, said, _ = await api.ask("POST", "/api/send?wait=15", body, **{"Idempotency-Key": "six-o-clock"})
    assert (status, said["replayed"]) == (200, True)
    assert asha.times_received("See you at six") == 1

    status, said, _ = await api.ask("POST", "/api/auth/reconnect", account)
    assert (status, said["desired_state"]) == (200, "connected"), said
    await world.until_status(shown["id"], "connected")
    status, said, _ = await api.ask("POST", "/api/auth/disconnect", account)
    assert (status, said["status"]) == (200, "disconnected"), said
    status, said, _ = await api.ask("GET", f"/api/groups?refresh=1&session_id={shown['id']}")
    assert (status, said["code"]) == (409, "not-connected")
    status, said, _ = await api.ask("POST", "/api/auth/reconnect", account)
    assert (status, said["desired_state"]) == (200, "connected"), "what is off is connected"
    await world.until_status(shown["id"], "connected")
    status, said, _ = await api.ask("POST", "/api/auth/logout", account)
    assert (status, said["status"]) == (200, "logged_out"), said
    log = worker.log.read_text()
    assert '"event": "api_request"' in log
    session = await world.admin.auth.get_session()
    assert session
    for secret in (phone, friend, "See you at six", KEY, session.access_token, "data:image"):
        assert secret not in log


async def test_a_pairing_code_and_a_group_refresh_come_through_the_account_s_holder(
    world: World, new_phone: Callable[[], str], make_worker: MakeWorker
) -> None:
    holder, other = make_worker(API_KEY=KEY), make_worker(API_KEY=KEY, WORKER_MAX_SESSIONS="1")
    await holder.start()
    await holder.until_serving(0)
    phone = new_phone()
    status, shown, _ = await Client(world, holder.port).ask("POST", "/api/auth/connect", {"phone": f"+{phone}"})
    assert (status, shown["status"]) == (201, "qr_pending"), shown
    assert len(shown["pairing_code"].replace("-", "")) == 8
    await world.simulator.enter_code(phone, shown["pairing_code"])
    await world.until_status(shown["id"], "connected")
    group = await world.simulator.create_group("Pottery", phone, [])
    await other.start()
    await other.until_serving(0)
    question = f"/api/groups?refresh=1&session_id={shown['id']}"  # other tests leave accounts of the organisation
    status, said, _ = await Client(world, other.port).ask("GET", question)
    assert (status, said["refreshed"]) == (200, True), said
    assert group in [found["group_jid"] for found in said["groups"]]


async def test_workers_share_a_port_and_a_call_under_way_is_answered_when_one_stops(
    world: World, make_worker: MakeWorker
) -> None:
    port = free_port()
    pair = [make_worker(API_KEY=KEY, PORT=str(port), REUSE_PORT="true") for _ in range(2)]
    for worker in pair:
        await worker.start()
    api = Client(world, port)
    session = await world.add_account("Never linked")
    await _until_both_answer(pair)

    later = {"to": {"phone": "+491709999999"}, "text": "Later", "session_id": session}
    waiting = [asyncio.create_task(api.ask("POST", "/api/send?wait=30", later)) for _ in range(6)]
    await _until_queued(world, session, 6)
    stopping = asyncio.create_task(pair[0].stop(30))
    assert await stopping == 0
    for _ in range(20):
        status, _, _ = await api.ask("GET", "/api/auth/status")
        assert status == 200
    assert await pair[1].stop(30) == 0
    for status, said, _ in await asyncio.gather(*waiting):
        assert (status, said["message"]["status"]) == (201, "pending")


async def _until_both_answer(workers: list[Worker]) -> None:
    """Wait until each has answered on the port that they share; every question has a connection of its own."""
    seen = set[str]()

    async def look() -> bool | None:
        said = await workers[0].health()
        if said and said["ready"]:
            seen.add(said["worker_id"])
        return True if len(seen) == len(workers) else None

    await until(look, 30, "an answer of each worker")


async def _until_queued(world: World, session: str, count: int) -> None:
    sql = "select session_id from public.scheduled_whatsapp_messages where session_id = %s"

    async def look() -> bool | None:
        return True if len(await world.rows(sql, session)) == count else None

    await until(look, 15, f"{count} messages in the queue")
