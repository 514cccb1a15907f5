"""Two organisations, the API between them, and people who listen to it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from localstack.client import Stack
from tests.kit.database import Db
from tests.kit.event_listener import Connect, Listener, connected
from tests.kit.served_api import Ground, Person, Served, make_ground, served


@pytest.fixture(scope="module")
def ground(stack: Stack) -> Iterator[Ground]:
    """Two organisations that no other test touches."""
    with Db.connect(stack.database_url, autocommit=True) as db:
        yield make_ground(stack, db)


@pytest.fixture(scope="module")
async def api(ground: Ground) -> AsyncIterator[Served]:
    """The API between them."""
    async with served(ground) as made:
        yield made


@pytest.fixture
async def listen(ground: Ground, api: Served) -> AsyncIterator[Connect]:
    """Connects people as their browsers do, with the token as a subprotocol; ``key`` as servers do."""
    async with AsyncExitStack() as exits:

        async def connect(person: Person | None = None, *, key: str | None = None, token: str = "") -> Listener:
            token = token or (ground.token(person) if person else "")
            if key:
                headers = {"X-API-Key": key, **({"Authorization": f"Bearer {token}"} if token else {})}
                listener = await exits.enter_async_context(connected(api, headers=headers))
            else:
                listener = await exits.enter_async_context(
                    connected(api, protocols=("herald.v1", f"bearer.{token}"))
                )
                assert listener.socket.protocol == "herald.v1"
            assert (await listener.next())["type"] == "ready"
            return listener

        yield connect


@pytest.fixture
def account(ground: Ground) -> UUID:
    """An account of the home organisation that nobody else's test changes."""
    return ground.db.insert("public.whatsapp_sessions", organization_id=ground.home.id, display_name="Events")
