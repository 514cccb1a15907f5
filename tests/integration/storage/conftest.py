"""One stack with buckets and policies for all tests of Storage; people of the test's own."""

from collections.abc import AsyncIterator

import httpx
import pytest

from localstack.client import Stack
from tests.kit.storage import Person, StorageWorld, storage_world


@pytest.fixture(scope="package")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StorageWorld]:
    async with storage_world(tmp_path_factory.mktemp("stack")) as world:
        yield world


@pytest.fixture
def stack(world: StorageWorld) -> Stack:
    return world.stack


@pytest.fixture
async def asha(world: StorageWorld) -> Person:
    return await world.member("asha")


@pytest.fixture
async def binh(world: StorageWorld) -> Person:
    return await world.member("binh")


@pytest.fixture
async def service(world: StorageWorld) -> Person:
    return await world.service()


@pytest.fixture
async def http(world: StorageWorld) -> httpx.AsyncClient:
    return await world.plain()
