"""The gate before Supabase: what it lets pass untouched, what it holds, what it answers badly."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from realtime.types import RealtimePostgresChangesListenEvent
from supabase import AsyncClientOptions, acreate_client

from tests.kit.faults.gate import HttpGate, Trouble
from tests.kit.faults.hold import Exchange, Stage
from tests.kit.faults.lane import Shape
from tests.kit.worker_process import until
from tests.kit.world import World

#: A call that needs no lease and whose effect can be seen.
START = "whatsapp_worker_start"
RUN = "00000000-0000-4000-8000-{:012d}"


@pytest.fixture
async def gate(world: World) -> AsyncIterator[HttpGate]:
    async with HttpGate(world.stack.url) as made:
        yield made


@pytest.fixture
async def http(world: World, gate: HttpGate) -> AsyncIterator[httpx.AsyncClient]:
    """Calls as a worker does, through the gate."""
    headers = {"apikey": world.stack.secret_key}
    async with httpx.AsyncClient(base_url=gate.url, headers=headers, trust_env=False, timeout=10) as made:
        yield made


async def start(http: httpx.AsyncClient, number: int) -> httpx.Response:
    """Announce a worker under a run of this number."""
    arguments = {"p_worker": f"gate-{number}", "p_run": RUN.format(number), "p_version": "0"}
    return await http.post(f"/rest/v1/rpc/{START}", json=arguments)


async def known(world: World, number: int) -> bool:
    """Whether the database knows the run."""
    return await world.row("select 1 from herald.workers where run_id = %s", RUN.format(number)) is not None


async def test_keys_and_rows_pass_as_they_are(world: World, gate: HttpGate) -> None:
    session = await world.admin.auth.get_session()
    assert session
    admin = {"apikey": world.stack.publishable_key, "authorization": f"Bearer {session.access_token}"}
    path = f"/rest/v1/organizations?select=id,name&id=in.(%22{world.organization}%22)"
    seen = []
    async with httpx.AsyncClient(trust_env=False) as caller:
        for headers in ({}, {"apikey": "sb_secret_wrong"}, {"apikey": world.stack.secret_key}, admin):
            direct, through = [
                await caller.get(url + path, headers=headers) for url in (world.stack.url, gate.url)
            ]
            assert (through.status_code, through.content) == (direct.status_code, direct.content)
            seen.append(through.status_code)
        user = await caller.get(f"{gate.url}/auth/v1/user", headers=admin)
    assert seen == [401, 401, 200, 200]
    assert user.json()["id"] == session.user.id


async def test_realtime_tells_of_rows_through_the_gate_until_it_is_cut(world: World, gate: HttpGate) -> None:
    told = asyncio.Event()
    ready = asyncio.Event()
    async with httpx.AsyncClient(trust_env=False) as plain:
        client = await acreate_client(gate.url, world.stack.secret_key, AsyncClientOptions(httpx_client=plain))
        channel = client.channel("gate")
        channel.on_postgres_changes(
            RealtimePostgresChangesListenEvent.Insert,
            callback=lambda _: told.set(),
            schema="public",
            table="whatsapp_sessions",
        )
        channel.on_system(lambda _: ready.set())
        await channel.subscribe()
        await asyncio.wait_for(ready.wait(), 10)
        session = await world.add_account("Through the gate")
        await asyncio.wait_for(told.wait(), 10)
        listening = client.realtime._listen_task
        assert listening
        await gate.network.cut()
        await asyncio.wait([listening], timeout=10)
        assert listening.done()
        await client.realtime.close()
    await world.rows("delete from public.whatsapp_sessions where id = %s returning id", session)


async def test_a_held_request_is_unknown_to_the_database_until_it_is_released(
    world: World, gate: HttpGate, http: httpx.AsyncClient
) -> None:
    hold = gate.hold(START, Stage.REQUEST)
    calling = asyncio.create_task(start(http, 1))
    exchange = await hold.held()
    assert exchange.asked["p_run"] == RUN.format(1)
    assert not await known(world, 1)
    hold.release()
    assert (await calling).is_success
    assert await known(world, 1)


async def test_a_held_answer_is_committed_and_can_be_lost(
    world: World, gate: HttpGate, http: httpx.AsyncClient
) -> None:
    hold = gate.hold(START, Stage.ANSWER)
    calling = asyncio.create_task(start(http, 2))
    exchange = await hold.held()
    assert await known(world, 2)
    assert exchange.status
    assert exchange.status < 300
    assert not calling.done()
    hold.drop()
    with pytest.raises(httpx.TransportError):
        await calling


async def test_only_the_nth_call_that_matches_is_held(
    world: World, gate: HttpGate, http: httpx.AsyncClient
) -> None:
    def odd(exchange: Exchange) -> bool:
        return int(exchange.asked["p_run"][-1]) % 2 == 1

    hold = gate.hold(START, Stage.REQUEST, odd, nth=2)
    for number in (3, 4):
        assert (await start(http, number)).is_success
    calling = asyncio.create_task(start(http, 5))
    await hold.held()
    assert (await start(http, 7)).is_success  # every other call passes
    gate.open()
    assert (await calling).is_success
    assert gate.calls[START] == 4
    assert await known(world, 5)


async def test_what_a_dead_caller_asked_is_never_forwarded(
    world: World, gate: HttpGate, http: httpx.AsyncClient
) -> None:
    hold = gate.hold(START, Stage.REQUEST)
    calling = asyncio.create_task(start(http, 8))
    await hold.held()
    calling.cancel()

    async def gone() -> bool | None:
        return hold.gone or None

    await until(gone, 10, "the caller's end")
    hold.release()
    assert (await start(http, 9)).is_success
    assert not await known(world, 8)


async def test_waiting_for_a_call_that_does_not_come_says_so(gate: HttpGate) -> None:
    with pytest.raises(TimeoutError, match="no answer of whatsapp_heartbeat to hold"):
        await gate.hold("whatsapp_heartbeat", Stage.ANSWER).held(0.05)


async def test_bad_answers_come_as_often_as_asked(world: World, gate: HttpGate, http: httpx.AsyncClient) -> None:
    gate.trouble(Trouble.UNAVAILABLE, START, count=2)
    gate.trouble(Trouble.GARBAGE, START, count=1)
    gate.trouble(Trouble.SLOW, count=1, seconds=0.2)
    assert [(await start(http, 10)).status_code for _ in range(2)] == [503, 503]
    garbage = await start(http, 10)
    assert garbage.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        garbage.json()
    assert not await known(world, 10)
    began = time.monotonic()
    assert (await start(http, 10)).is_success
    assert time.monotonic() - began >= 0.2
    assert await known(world, 10)


async def test_its_network_can_be_slow_and_cut_and_healed(
    world: World, gate: HttpGate, http: httpx.AsyncClient
) -> None:
    gate.network.shape(Shape(latency=0.15))
    began = time.monotonic()
    assert (await start(http, 11)).is_success
    assert time.monotonic() - began >= 0.3
    await gate.network.cut()
    with pytest.raises(httpx.TransportError):
        await start(http, 12)
    await gate.network.heal()
    assert (await start(http, 13)).is_success
    assert not await known(world, 12)


async def test_an_upstream_that_is_away_looks_like_a_reset() -> None:
    async with HttpGate("http://127.0.0.1:1") as gate, httpx.AsyncClient(base_url=gate.url) as http:
        with pytest.raises(httpx.TransportError):
            await start(http, 14)
