"""Accounts of one engine open beside each other: after a hand-over all of them come at once."""

import asyncio
import time

from simulator.faults import FaultKind
from tests.kit.phones import new_phone
from tests.kit.web_world import WebWorld


async def test_eight_accounts_open_in_the_time_of_a_few(world: WebWorld) -> None:
    sessions = [await world.link(new_phone()) for _ in range(8)]
    await world.simulator.fault(FaultKind.DELAY, seconds=0.3)  # a server that is far away
    took = []
    for together in (sessions[:1], sessions):
        await asyncio.gather(*(world.provider.close(session) for session in together))
        since = time.monotonic()
        await asyncio.gather(*(world.open(session) for session in together))
        took.append(time.monotonic() - since)
    assert len(world.provider.engine_pids) == 1
    assert took[0] > 0.3
    assert took[1] < 4 * took[0]
