"""A web provider of the test's own, before the WhatsApp that all tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulator.client import Simulator
from tests.kit.web_world import WebWorld, web_world


@pytest.fixture
async def world(simulator: Simulator, state_dir: Path) -> AsyncIterator[WebWorld]:
    async with web_world(simulator, state_dir) as made:
        yield made
