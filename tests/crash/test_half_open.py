"""A connection to WhatsApp that lost bytes and seems to live: the library would see it in half a minute."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from simulator.client import Recipient, Simulator
from tests.kit.faults.proxy import Direction, TcpProxy
from tests.kit.phones import new_phone
from tests.kit.web_world import WebWorld, web_world
from tests.kit.worker_process import until
from worker.outcome import Accepted, Indeterminate

#: The library's first word of its own comes no sooner after its login, seconds (whatsmeow's keepalive.go).
LIBRARY_SPEAKS = 20.0


@pytest.fixture
async def network(simulator: Simulator) -> AsyncIterator[TcpProxy]:
    """What lies between the engine and WhatsApp."""
    inner = urlsplit(simulator.endpoint.proxy)
    async with TcpProxy(str(inner.hostname), inner.port or 80) as proxy:
        yield proxy


@pytest.fixture
async def world(
    simulator: Simulator, network: TcpProxy, tmp_path: Path, state_dir: Path
) -> AsyncIterator[WebWorld]:
    found_by = tmp_path / "simulator.json"
    endpoint = json.loads(simulator.file.read_text())
    found_by.write_text(json.dumps({**endpoint, "proxy": f"http://127.0.0.1:{network.port}"}))
    async with web_world(simulator, state_dir, found_by=found_by) as made:
        yield made


@pytest.fixture
async def session(world: WebWorld) -> UUID:
    return await world.link(new_phone())


def vanished(network: TcpProxy) -> int:
    """Bytes on their way to WhatsApp that never arrived."""
    return sum(link.lane(Direction.UP).swallowed for link in network.links)


async def until_more_vanished(network: TcpProxy) -> None:
    before = vanished(network)

    async def look() -> bool | None:
        return vanished(network) > before or None

    await until(look, 10, "bytes that vanish")


async def test_a_message_that_vanished_on_the_way_goes_out_soon_and_once(
    world: WebWorld, session: UUID, network: TcpProxy, asha: Recipient
) -> None:
    logged_in = time.monotonic()
    assert isinstance(await world.provider.send(world.claim(session, f"+{asha.phone}", "before")), Accepted)
    network.half_open()
    sending = asyncio.create_task(world.provider.send(world.claim(session, f"+{asha.phone}", "vanished")))
    await until_more_vanished(network)
    await network.heal()
    assert isinstance(await sending, Accepted)
    assert time.monotonic() - logged_in < LIBRARY_SPEAKS
    await asha.expects("vanished")
    assert asha.times_received("vanished") == 1


async def test_a_session_closes_while_nobody_answers_and_its_engine_lives_on(
    world: WebWorld, session: UUID, network: TcpProxy, asha: Recipient
) -> None:
    assert isinstance(await world.provider.send(world.claim(session, f"+{asha.phone}", "before")), Accepted)
    engines = list(world.provider.engine_pids)
    network.half_open()
    sending = asyncio.create_task(world.provider.send(world.claim(session, f"+{asha.phone}", "vanished")))
    await until_more_vanished(network)  # the message
    await until_more_vanished(network)  # what is said beside it
    await world.provider.close(session)
    assert isinstance(await sending, Indeterminate)
    await network.cut()
    await network.heal()
    await world.open(session)
    assert isinstance(await world.provider.send(world.claim(session, f"+{asha.phone}", "after")), Accepted)
    assert list(world.provider.engine_pids) == engines
