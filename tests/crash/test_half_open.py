"""A connection to WhatsApp that lost bytes and seems to live: the library would see it in half a minute."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pytest_asyncio

from simulator.client import Recipient, Simulator
from tests.contract.transport_world import World
from tests.kit.faults.proxy import Direction, TcpProxy
from tests.kit.worker_process import until
from worker.outcome import Accepted, Indeterminate

#: The library's first word of its own comes no sooner after its login, seconds (whatsmeow's keepalive.go).
LIBRARY_SPEAKS = 20.0


@pytest_asyncio.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[Simulator]:
    async with await Simulator.start(tmp_path / "simulator") as started:
        yield started


@pytest_asyncio.fixture
async def network(simulator: Simulator) -> AsyncIterator[TcpProxy]:
    """What lies between the engine and WhatsApp."""
    inner = urlsplit(simulator.endpoint.proxy)
    async with TcpProxy(str(inner.hostname), inner.port or 80) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def world(simulator: Simulator, network: TcpProxy, tmp_path: Path) -> AsyncIterator[World]:
    found_by = tmp_path / "simulator.json"
    endpoint = json.loads(simulator.file.read_text())
    found_by.write_text(json.dumps({**endpoint, "proxy": f"http://127.0.0.1:{network.port}"}))
    made = World(simulator, tmp_path / "state", found_by=found_by)
    await made.transport.start()
    yield made
    await made.transport.aclose()


@pytest_asyncio.fixture
async def ines(simulator: Simulator) -> Recipient:
    """A person with a real client."""
    return await simulator.recipient("491577777777", "Ines")


@pytest_asyncio.fixture
async def session(world: World) -> UUID:
    return await world.link("491713900001")


def vanished(network: TcpProxy) -> int:
    """Bytes on their way to WhatsApp that never arrived."""
    return sum(link.lane(Direction.UP).swallowed for link in network.links)


async def until_more_vanished(network: TcpProxy) -> None:
    before = vanished(network)

    async def look() -> bool | None:
        return vanished(network) > before or None

    await until(look, 10, "bytes that vanish")


async def test_a_message_that_vanished_on_the_way_goes_out_soon_and_once(
    world: World, session: UUID, network: TcpProxy, ines: Recipient
) -> None:
    logged_in = time.monotonic()
    assert isinstance(await world.transport.send(world.claim(session, f"+{ines.phone}", "before")), Accepted)
    network.half_open()
    sending = asyncio.create_task(world.transport.send(world.claim(session, f"+{ines.phone}", "vanished")))
    await until_more_vanished(network)
    await network.heal()
    assert isinstance(await sending, Accepted)
    assert time.monotonic() - logged_in < LIBRARY_SPEAKS
    await ines.expects("vanished")
    assert ines.times_received("vanished") == 1


async def test_a_session_closes_while_nobody_answers_and_its_engine_lives_on(
    world: World, session: UUID, network: TcpProxy, ines: Recipient
) -> None:
    assert isinstance(await world.transport.send(world.claim(session, f"+{ines.phone}", "before")), Accepted)
    engines = list(world.transport.engine_pids)
    network.half_open()
    sending = asyncio.create_task(world.transport.send(world.claim(session, f"+{ines.phone}", "vanished")))
    await until_more_vanished(network)  # the message
    await until_more_vanished(network)  # what is said beside it
    await world.transport.close(session)
    assert isinstance(await sending, Indeterminate)
    await network.cut()
    await network.heal()
    await world.open(session)
    assert isinstance(await world.transport.send(world.claim(session, f"+{ines.phone}", "after")), Accepted)
    assert list(world.transport.engine_pids) == engines
