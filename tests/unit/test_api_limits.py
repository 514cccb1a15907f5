"""How often an organisation's requests wait for the database to count them."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiohttp import web

from worker.api.http.limits import Limits
from worker.supabase.api_calls import ApiCalls
from worker.supabase.client import Database

KEEP = 0.4  # seconds


@pytest.fixture
async def asked() -> list[int]:
    """How many requests were taken from the database, each time."""
    return []


@pytest.fixture
async def limits(asked: list[int]) -> AsyncIterator[Limits]:
    """A million requests a minute, counted by a database that gives what is wanted."""

    async def take(request: web.Request) -> web.Response:
        asked.append((await request.json())["p_wanted"])
        return web.json_response({"granted": asked[-1], "retry_after": 0})

    app = web.Application()
    app.router.add_post("/rest/v1/rpc/whatsapp_api_take", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    database = Database(f"http://127.0.0.1:{runner.addresses[0][1]}", "key")
    yield Limits(ApiCalls(database), requests=1_000_000, sends=1, keep_seconds=KEEP)
    await database.aclose()
    await runner.cleanup()


async def test_a_steady_stream_waits_for_the_database_rarely(limits: Limits, asked: list[int]) -> None:
    organization, clock = uuid4(), asyncio.get_running_loop().time
    began, made, periods = clock(), 0, 8
    while clock() - began < periods * KEEP:
        await limits.request(organization)
        made += 1
        await asyncio.sleep(0.001)
    growing = 1 + max(asked).bit_length()
    assert len(asked) <= growing + 2 * periods, asked
    assert sum(asked) <= 3 * made, asked


async def test_after_a_pause_one_is_taken(limits: Limits, asked: list[int]) -> None:
    organization = uuid4()
    for _ in range(100):
        await limits.request(organization)
    await asyncio.sleep(2.5 * KEEP)
    await limits.request(organization)
    assert asked == [1, 2, 4, 8, 16, 32, 64, 1]
