"""The fallback with a real worker: deaf, dead, or alive beside it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import httpx
import pytest

from tests.conftest import MakeWorker, settled, until_delivered
from tests.kit.worker_process import Worker, until
from tests.kit.world import Row, World

API_KEY = secrets.token_hex(32)
SECRET = secrets.token_hex(32)
BAR = 70.0  #: seconds from due to received when the worker hears and looks no more
DEAF = {"POLL_INTERVAL": "86400", "API_KEY": API_KEY}
ALERTS = "select details ->> 'reason' as reason, resolved_at is null as open from public.whatsapp_alerts"

Schedule = Callable[[Worker], Awaitable[None]]


def vault(world: World) -> dict[str, str]:
    """The Vault's secrets of the fallback."""
    return {"herald_functions_url": f"{world.stack.url}/functions/v1", "herald_cron_secret": SECRET}


@pytest.fixture
async def fallback(world: World) -> AsyncIterator[Schedule]:
    """Has the fallback watch over the queue and wake this worker, each minute."""

    async def schedule(worker: Worker) -> None:
        world.stack.set_function_secrets(
            VPS_URL=f"http://127.0.0.1:{worker.port}", VPS_API_KEY=API_KEY, CRON_SECRET=SECRET
        )
        for name, value in vault(world).items():
            await world.rows("select vault.create_secret(%s, %s)", value, name)
        await world.rows("update herald.fallback set asked_at = null returning 1")
        await world.rows("select herald.schedule_fallback()")

    yield schedule
    await world.rows("select herald.unschedule_fallback()")
    await world.rows("delete from vault.secrets where name = any(%s) returning id", list(vault(world)))
    await world.rows("delete from public.whatsapp_alerts returning id")
    await world.realtime("on")


async def run(world: World, job: str) -> None:
    """Run a job now."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        headers = {"apikey": world.stack.secret_key}
        answer = await http.post(f"{world.stack.url}/localstack/cron", json={"run": job}, headers=headers)
    assert answer.raise_for_status().json()["status"] == "succeeded"


async def alerts(world: World) -> list[Row]:
    return await world.rows(ALERTS)


async def test_messages_go_out_within_seventy_seconds_when_the_worker_neither_hears_nor_looks(
    world: World, make_worker: MakeWorker, fallback: Schedule, new_phone: Callable[[], str]
) -> None:
    worker = make_worker(**DEAF)
    await worker.start()
    session, recipient = await world.link("Deaf", new_phone()), await world.simulator.recipient(new_phone())
    await world.realtime("cut")
    await until(lambda: deaf(worker), 30, "a worker that knows that Realtime is away")
    await fallback(worker)
    row = {"session_id": session, "recipient_phone": f"+{recipient.phone}"}
    ids = await world.schedule([{**row, "message_content": f"through the back door {n}"} for n in range(3)])
    due = (await world.rows("select now() as at"))[0]["at"]
    await until_delivered(world, ids, seconds=BAR)
    sent: list[datetime] = [r["sent_at"] for r in await sent_rows(world, ids)]
    assert (max(sent) - due).total_seconds() <= BAR
    woken = (await world.rows("select woken_at from herald.fallback"))[0]["woken_at"]
    assert due < woken  # it was the fallback; WhatsApp tells times in whole seconds
    assert woken.replace(microsecond=0) <= min(sent)
    for n in range(3):
        assert recipient.times_received(f"through the back door {n}") == 1
    assert await alerts(world) == []


async def deaf(worker: Worker) -> bool | None:
    health = await worker.health()
    return True if health and health["ready"] and not health["realtime"] else None


async def sent_rows(world: World, ids: list[str]) -> list[Row]:
    return await world.rows("select * from public.scheduled_whatsapp_messages where id = any(%s::uuid[])", ids)


async def test_a_worker_that_is_away_is_an_alert_until_it_is_back(
    world: World, make_worker: MakeWorker, fallback: Schedule, new_phone: Callable[[], str]
) -> None:
    worker = make_worker(API_KEY=API_KEY)
    await worker.start()
    session, recipient = await world.link("Away", new_phone()), await world.simulator.recipient(new_phone())
    await worker.kill()
    await fallback(worker)
    row = {"session_id": session, "recipient_phone": f"+{recipient.phone}", "message_content": "when you are back"}
    past = (await world.rows("select now() - interval '10 seconds' as at"))[0]["at"]
    (message,) = await world.schedule([{**row, "scheduled_for": past.isoformat()}])
    await run(world, "herald-fallback")
    told = await until(lambda: open_alert(world), 30, "an alert")
    assert told == {"reason": "vps-unreachable", "open": True}
    await worker.start()
    await settled(world, message, "delivered", "read", seconds=60)
    await run(world, "herald-fallback")
    assert await alerts(world) == [{"reason": "vps-unreachable", "open": False}]
    assert recipient.times_received("when you are back") == 1


async def open_alert(world: World) -> Row | None:
    found = await alerts(world)
    return found[0] if found else None


async def test_a_live_worker_and_the_fallback_together_never_send_twice(
    world: World, make_worker: MakeWorker, fallback: Schedule, new_phone: Callable[[], str]
) -> None:
    """Two workers, one that hears and one that doesn't, woken all the time while they send."""
    live, silent = make_worker(API_KEY=API_KEY), make_worker(**DEAF)
    await live.start()
    await silent.start()
    recipient = await world.simulator.recipient(new_phone())
    sessions = [await world.link(f"Both {n}", new_phone()) for n in range(3)]
    await fallback(silent)
    texts = [f"once {n}" for n in range(150)]
    past = (await world.rows("select now() - interval '10 seconds' as at"))[0]["at"].isoformat()
    done = asyncio.Event()

    async def wake(worker: Worker) -> int:
        """As the fallback does, over and over."""
        times = 0
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            while not done.is_set():
                answer = await http.post(
                    f"http://127.0.0.1:{worker.port}/api/queue/drain", headers={"X-API-Key": API_KEY}
                )
                times += answer.raise_for_status().json()["woken"]
        return times

    async def tick() -> None:
        while not done.is_set():
            await run(world, "herald-fallback")

    async with asyncio.TaskGroup() as group:
        waking = [group.create_task(wake(worker)) for worker in (live, silent, live, silent)]
        ticking = group.create_task(tick())
        ids = await world.schedule(
            [
                {
                    "session_id": sessions[n % len(sessions)],
                    "recipient_phone": f"+{recipient.phone}",
                    "message_content": text,
                    "scheduled_for": past,
                }
                for n, text in enumerate(texts)
            ]
        )
        try:
            await until_delivered(world, ids, seconds=90)
        finally:
            done.set()
    assert sum(task.result() for task in waking) > len(texts) / 10
    assert ticking.done()
    assert {text: recipient.times_received(text) for text in texts} == dict.fromkeys(texts, 1)
