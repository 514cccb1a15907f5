"""The API keeps to its OpenAPI document: schemathesis asks, every check on (for longer: scripts/bench schema)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scripts.drills.report import Report
from scripts.drills.schema import SETTINGS, Asked, Round, ask_round, ask_until, callers
from scripts.drills.schema_rows import make_rows
from tests.kit.api_world import ApiWorld, api_world
from tests.kit.proxy_process import proxied

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[ApiWorld]:
    """A worker with an open API and rows that calls can be about; its own, for calls switch accounts off."""
    async with api_world(tmp_path, print, **SETTINGS) as made:
        yield made


def verdict(asked: Asked) -> tuple[int, int]:
    """Failures and errors, both to be 0; told in full where they are not."""
    for words in asked.words:
        print(words)  # pytest shows it with the failure
    return asked.failures, asked.errors


# Of so few cases many are those that are asked again without a key, or with a wrong one.
async def test_what_the_document_says_is_what_the_api_does(place: ApiWorld) -> None:
    asked, known = Asked(), await make_rows(place)
    admin, _ = await callers(place)
    one = Round(caller=admin, mode="all", seed=20261128, phases="fuzzing", examples=4)
    await ask_round(place, known, one, asked)
    assert verdict(asked) == (0, 0)
    assert asked.cases >= 100
    assert asked.succeeded >= 0.25 * asked.cases, asked.statuses


@pytest.mark.full
async def test_thousands_of_calls_keep_to_the_document(place: ApiWorld) -> None:
    asked = await ask_until(place, 2000, 20261128, Report("schema", as_json=True))
    assert verdict(asked) == (0, 0)
    assert asked.cases >= 2000
    assert asked.succeeded >= asked.cases / 2, asked.statuses


@pytest.mark.full
async def test_thousands_of_calls_through_the_proxy_keep_to_the_document(place: ApiWorld) -> None:
    async with proxied(place) as proxy:
        asked = await ask_until(place, 2000, 20261129, Report("schema", as_json=True), proxy=proxy)
    assert verdict(asked) == (0, 0)
    assert asked.cases >= 2000
    assert asked.succeeded >= asked.cases / 2, asked.statuses
