"""A local stack with buckets, policies and people, for the tests of Storage."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
from storage3.types import FileOptions
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from localstack.client import LocalStack, Stack
from localstack.layout import Layout
from tests.kit.http import loopback

#: supabase hands its own default to an option of storage3 that storage3 calls deprecated.
IGNORED = "ignore:The '.*' parameter is deprecated:DeprecationWarning"
PNG: FileOptions = {"content-type": "image/png"}

#: As a hosted migration writes them: everybody has a folder, and may upload to `inbox` without reading there.
POLICIES = """
create policy own_folder on storage.objects to authenticated
  using (bucket_id = 'media' and (storage.foldername(name))[1] = (select auth.uid())::text)
  with check (bucket_id = 'media' and (storage.foldername(name))[1] = (select auth.uid())::text);
create policy inbox on storage.objects for insert to authenticated with check (bucket_id = 'inbox');
"""


class Person:
    """A client, and the folder that its policies give it."""

    def __init__(self, client: AsyncClient, folder: str) -> None:
        self.storage = client.storage
        self.media = client.storage.from_("media")
        self.folder = folder

    def __call__(self, name: str) -> str:
        return f"{self.folder}/{name}"


class StorageWorld:
    """Opens clients and closes them."""

    def __init__(self, stack: Stack, closing: AsyncExitStack) -> None:
        self.stack = stack
        self._closing = closing

    async def anon(self) -> Person:
        return Person(await self._client(self.stack.publishable_key), "anon")

    async def service(self) -> Person:
        return Person(await self._client(self.stack.secret_key), "service")

    async def member(self, name: str) -> Person:
        client = await self._client(self.stack.publishable_key)
        made = await client.auth.sign_up(
            {"email": f"{name}-{time.monotonic_ns()}@py.test", "password": "correct horse"}
        )
        assert made.user
        return Person(client, made.user.id)

    async def plain(self) -> httpx.AsyncClient:
        """Storage without a key."""
        return await self._closing.enter_async_context(loopback(base_url=f"{self.stack.url}/storage/v1/"))

    async def _client(self, key: str) -> AsyncClient:
        http = await self._closing.enter_async_context(loopback())
        client = await acreate_client(self.stack.url, key, AsyncClientOptions(httpx_client=http))
        self._closing.push_async_callback(client.realtime.close)
        return client


@asynccontextmanager
async def storage_world(directory: Path) -> AsyncIterator[StorageWorld]:
    async with LocalStack.start(directory, migrate=False) as stack, AsyncExitStack() as closing:
        execute(stack, POLICIES)
        world = StorageWorld(stack, closing)
        service = (await world.service()).storage
        limits: Any = {"file_size_limit": 1024, "allowed_mime_types": ["image/*"]}
        await service.create_bucket("media")
        await service.create_bucket("inbox")
        await service.create_bucket("shop", options={"public": True})
        await service.create_bucket("limited", options=limits)
        yield world


def execute(stack: Stack, query: str) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(query.encode())


def bytes_on_disk(stack: Stack) -> set[str]:
    return {path.name for path in Layout(stack.directory).storage.glob("*")}
