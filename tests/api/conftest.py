"""One local Supabase for all tests of the API; what they make stays until it goes."""

from collections.abc import AsyncIterator, Iterator

import pytest

from localstack.client import LocalStack, Stack
from tests.kit.database import Db
from tests.kit.noted_rows import note_rows
from tests.kit.served_api import Ground, Served, make_ground, served


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("api")) as stack:
        yield stack
        note_rows(stack.database_url)


@pytest.fixture(scope="session")
def ground(stack: Stack) -> Iterator[Ground]:
    """Two organisations and their people."""
    with Db.connect(stack.database_url, autocommit=True) as db:
        yield make_ground(stack, db)


@pytest.fixture(scope="session")
async def api(ground: Ground) -> AsyncIterator[Served]:
    """The API under settings that no test meets the limits of."""
    async with served(ground) as served_api:
        yield served_api
