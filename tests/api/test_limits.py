"""Limits of an organisation: over all workers, with the time when to try again."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from localstack.client import Stack
from tests.kit.database import Db
from tests.kit.served_api import AWAY_KEY, HOME_KEY, Ground, Served, make_ground, served


@pytest.fixture
def fresh(stack: Stack) -> Iterator[Ground]:
    """Two organisations that have asked for nothing yet."""
    with Db.connect(stack.database_url, autocommit=True) as db:
        yield make_ground(stack, db)


@pytest.fixture
async def workers(fresh: Ground) -> AsyncIterator[tuple[Served, Served]]:
    """Two workers' APIs that share limits of 40 requests and 3 sends a minute."""
    limits = {"requests_per_minute": 40, "sends_per_minute": 3}
    async with served(fresh, **limits) as one, served(fresh, **limits) as other:
        yield one, other


async def test_requests_are_limited_over_all_workers(workers: tuple[Served, Served]) -> None:
    statuses = []
    for number in range(60):
        said = await workers[number % 2].ask("GET", "/api/groups", key=HOME_KEY)
        statuses.append(said.status)
    passed = statuses.count(200)
    assert set(statuses) == {200, 429}
    assert 36 <= passed <= 40, "never more than the limit, and at most two a worker bought in vain"
    assert said.code == "too-many-requests"
    assert 1 <= int(said.headers["Retry-After"]) <= 66
    other = await workers[0].ask("GET", "/api/groups", key=AWAY_KEY)
    assert other.status == 200, "the other organisation has a limit of its own"


async def test_many_at_once_are_limited_too(workers: tuple[Served, Served]) -> None:
    answers = await asyncio.gather(
        *(workers[number % 2].ask("GET", "/api/groups", key=HOME_KEY) for number in range(100))
    )
    assert sum(said.status == 200 for said in answers) <= 40


async def test_sends_are_limited_over_all_workers(workers: tuple[Served, Served]) -> None:
    body = {"to": {"phone": "+491709876567"}, "text": "Hello"}
    answers = [await workers[number % 2].ask("POST", "/api/send", key=HOME_KEY, json=body) for number in range(5)]
    assert [said.status for said in answers] == [201, 201, 201, 429, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 66
    assert answers[-1].json["detail"] == "The organisation has made its 3 send calls of this minute."


async def test_what_is_wrong_does_not_count_as_a_send(workers: tuple[Served, Served]) -> None:
    for _ in range(5):
        said = await workers[0].ask("POST", "/api/send", key=HOME_KEY, json={"to": {"phone": "x"}, "text": "a"})
        assert said.status == 422
    body = {"to": {"phone": "+491709876567"}, "text": "Hello"}
    assert (await workers[0].ask("POST", "/api/send", key=HOME_KEY, json=body)).status == 201


async def test_polling_once_a_while_is_free_and_faster_is_not(fresh: Ground) -> None:
    async with served(fresh, requests_per_minute=1, poll_seconds=60.0) as api:
        free = await api.ask("GET", "/api/auth/status", key=HOME_KEY)
        counted = await api.ask("GET", "/api/auth/status", key=HOME_KEY)
        one = f"/api/auth/status?session_id={fresh.home.session}"
        refused = await api.ask("GET", one, key=HOME_KEY)
        another = await api.ask("GET", f"/api/auth/qr?session_id={fresh.home.linking}", key=HOME_KEY)
    assert [said.status for said in (free, counted, refused, another)] == [200, 200, 429, 200]
