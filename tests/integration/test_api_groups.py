"""Groups over HTTP, from the call to the members' own clients, whichever worker is called."""

import secrets
from collections.abc import Callable

import aiohttp

from tests.conftest import MakeWorker
from tests.kit.worker_process import Worker
from tests.kit.world import Row, World

KEY = f"proxy-{secrets.token_hex(16)}"


async def ask(world: World, worker: Worker, method: str, path: str, body: Row | None = None) -> tuple[int, Row]:
    """Call a worker's API as the organisation's admin."""
    session = await world.admin.auth.get_session()
    assert session
    headers = {"X-API-Key": KEY, "Authorization": f"Bearer {session.access_token}"}
    url = f"http://127.0.0.1:{worker.port}{path}"
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, url, headers=headers, json=body) as answer,
    ):
        return answer.status, await answer.json()


async def test_any_worker_serves_any_accounts_groups(
    world: World, new_phone: Callable[[], str], make_worker: MakeWorker
) -> None:
    workers = [make_worker(API_KEY=KEY, WORKER_MAX_SESSIONS="1") for _ in range(2)]
    for worker in workers:
        await worker.start()
    accounts, ann = [new_phone(), new_phone()], new_phone()
    sessions = [await world.link(f"Account {phone[-2:]}", phone) for phone in accounts]
    asha = await world.simulator.recipient(ann, "Asha")
    held = await world.rows("select count(distinct run_id) as workers from herald.session_leases")
    assert held == [{"workers": 2}]
    for number, session in enumerate(sessions):
        for worker in workers:
            name = f"Group {number} through {worker.port}"
            body = {"session_id": session, "name": name, "participants": [f"+{ann}"]}
            status, made = await ask(world, worker, "POST", "/api/groups", body)
            assert (status, made["members"][0]["code"]) == (201, "ok"), made
            seen = (await asha.groups())[made["group_jid"]]
            assert (seen["name"], seen["admins"]) == (name, [accounts[number]])
            path = f"/api/groups/{made['group_jid']}"
            status, said = await ask(world, worker, "PATCH", path, {"description": "Doors at 6", "locked": True})
            assert (status, said["changed"]) == (200, {"description": "Doors at 6", "locked": True})
            status, said = await ask(
                world, worker, "POST", f"{path}/members", {"action": "promote", "members": [f"+{ann}"]}
            )
            assert (status, said["members"][0]["ok"]) == (200, True), said
            seen = (await asha.groups())[made["group_jid"]]
            assert (seen["description"], seen["locked"], ann in seen["admins"]) == ("Doors at 6", True, True)
            status, said = await ask(world, worker, "POST", f"{path}/contacts/sync")
            assert (status, said["members"]) == (200, 1), said
            status, said = await ask(world, worker, "GET", f"{path}/invite")
            assert status == 200, said
            assert said["invite_link"].startswith("https://chat.whatsapp.com/")
