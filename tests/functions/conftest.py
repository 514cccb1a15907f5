"""One stack for all tests of the functions; a server in the worker's place for each test that wants one."""

from collections.abc import AsyncIterator, Iterator

import pytest

from localstack.client import LocalStack, Stack
from tests.kit.crm import Crm
from tests.kit.noted_rows import note_rows
from tests.kit.vps import KEY, Vps, serving

ORIGIN = "https://crm.example"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("functions")) as stack:
        yield stack
        note_rows(stack.database_url)


@pytest.fixture(scope="session")
async def crm(stack: Stack) -> Crm:
    return await Crm.found(stack)


@pytest.fixture(scope="module")
async def _vps(stack: Stack) -> AsyncIterator[Vps]:
    """One for a module: another address is another secret, and makes every function start anew."""
    async with serving() as vps:
        stack.set_function_secrets(
            VPS_URL=vps.url,
            VPS_API_KEY=KEY,
            VPS_TIMEOUT_SECONDS="1",
            ALLOWED_ORIGINS=f"{ORIGIN}, https://b.example",
        )
        yield vps


@pytest.fixture
def vps(_vps: Vps) -> Vps:
    """It behaves well and has heard nothing yet."""
    _vps.behaves = "well"
    _vps.heard.clear()
    return _vps
