"""A call of a database function while Supabase is away for a moment, or its answer is."""

import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.kit.faults.gate import HttpGate, Trouble
from tests.kit.world import World
from worker.errors import StoreError
from worker.supabase.client import Database
from worker.supabase.leases import SupabaseLeases
from worker.supabase.outbox import SupabaseOutbox


@pytest.fixture
async def gate(world: World) -> AsyncIterator[HttpGate]:
    async with HttpGate(world.stack.url) as made:
        yield made


@pytest.fixture
async def database(world: World, gate: HttpGate) -> AsyncIterator[Database]:
    """Calls as a worker does, through the gate."""
    made = Database(gate.url, world.stack.secret_key)
    yield made
    await made.aclose()


async def test_a_gateway_that_is_away_for_two_calls_is_asked_a_third_time(
    gate: HttpGate, database: Database
) -> None:
    gate.trouble(Trouble.UNAVAILABLE, "whatsapp_reap", count=2)
    assert set(await database.call("whatsapp_reap", {})) >= {"expired", "in_doubt"}
    assert gate.calls["whatsapp_reap"] == 3


async def test_a_gateway_that_stays_away_is_told_as_such(gate: HttpGate, database: Database) -> None:
    gate.trouble(Trouble.UNAVAILABLE, "whatsapp_reap")
    with pytest.raises(StoreError, match="busy or away"):
        await database.call("whatsapp_reap", {}, attempts=2)


async def test_a_queue_call_waits_six_seconds_for_an_answer_that_the_network_swallowed(
    gate: HttpGate, database: Database
) -> None:
    run = uuid4()
    await SupabaseLeases(database, run, 20).start("swallowed", "0")
    gate.network.half_open()
    begun = time.monotonic()
    with pytest.raises(StoreError):
        await SupabaseOutbox(database, run).settle_and_claim([], 1)
    assert 5.5 <= time.monotonic() - begun <= 8


async def test_a_heartbeat_that_the_network_swallowed_leaves_its_lease_time_for_another(
    gate: HttpGate, database: Database
) -> None:
    leases = SupabaseLeases(database, uuid4(), 10)
    await leases.start("half-open", "0")
    gate.network.half_open()
    begun = time.monotonic()
    with pytest.raises(StoreError):
        await leases.heartbeat(0)
    assert 2.5 <= time.monotonic() - begun <= 5
