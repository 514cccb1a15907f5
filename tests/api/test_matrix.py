"""Every route × every caller × own and other organisation, from the API's own table of routes."""

from collections.abc import AsyncIterator, Iterator

import pytest

from localstack.client import Stack
from tests.api.cells import CELLS, SPEAKERS, Cell, Speaker, Whose, expected
from tests.kit.database import Db
from tests.kit.served_api import Ground, Said, Served, make_ground, served
from worker.api.app import ROUTES

ALL = {f"{route.method} {route.path}": route for route in ROUTES}


@pytest.fixture(scope="module")
def two(stack: Stack) -> Iterator[Ground]:
    """Two organisations that no other test touches."""
    with Db.connect(stack.database_url, autocommit=True) as db:
        yield make_ground(stack, db)


@pytest.fixture(scope="module")
async def door(two: Ground) -> AsyncIterator[Served]:
    """The API between them."""
    async with served(two) as made:
        yield made


def test_every_route_has_its_cells() -> None:
    assert set(CELLS) == set(ALL), "add a line to tests/api/cells.py, or remove one whose route is gone"


async def ask(ground: Ground, door: Served, name: str, cell: Cell, speaker: Speaker, whose: Whose) -> Said:
    own, other = (ground.home, ground.away) if speaker.at_home else (ground.away, ground.home)
    about = own if whose is Whose.OWN else other
    named = other if whose is Whose.OTHER else own
    request = dict(cell.ask(ground, about))
    path = ALL[name].path.format(**request.pop("parts", {}))
    token = speaker.token(ground) if speaker.token else None
    return await door.ask(ALL[name].method, path, key=speaker.key, token=token, organization=named.id, **request)


@pytest.mark.parametrize("name", CELLS)
async def test_everyone_gets_what_is_theirs_and_nothing_else(name: str, two: Ground, door: Served) -> None:
    cell, wrong, asked = CELLS[name], [], 0
    for who, speaker in SPEAKERS.items():
        for whose in Whose:
            wanted = expected(cell, speaker, whose)
            if wanted is None:
                continue
            said = await ask(two, door, name, cell, speaker, whose)
            asked += 1
            if (said.status, said.code) != wanted:
                wrong.append(f"{who}, {whose}: {said.status} {said.code} instead of {wanted}")
            foreign = two.away if speaker.at_home else two.home
            entitled = wanted[0] < 300 and whose is Whose.OTHER
            if not entitled and foreign.marks(said.content):
                wrong.append(f"{who}, {whose}: tells of the other organisation")
    assert not wrong, "\n".join(wrong)
    assert asked >= 2 * len(SPEAKERS)


async def test_the_matrix_notices_a_leak(two: Ground, door: Served) -> None:
    cell, super_admin = CELLS["GET /api/messages"], SPEAKERS["super admin"]
    said = await ask(two, door, "GET /api/messages", cell, super_admin, Whose.OTHER)
    assert two.away.marks(said.content)
    assert not two.home.marks(said.content)
