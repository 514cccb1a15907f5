"""The API's matrix of routes × callers × organisations once more, through the gateway and the proxy."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from localstack.client import Stack
from tests.api.cells import CELLS, SPEAKERS, Cell, Speaker, Whose, expected
from tests.kit.database import Db
from tests.kit.http import loopback
from tests.kit.served_api import PROXY_KEY, Ground, Served, make_ground, served
from worker.api.app import ROUTES
from worker.api.http.routing import Access

ROUTE = {f"{route.method} {route.path}": route for route in ROUTES}
#: Nobody's from a browser: what servers call with a key of their own.
CLOSED = {name for name, route in ROUTE.items() if route.access is Access.SERVER}
#: Callers with a session; keys of servers don't pass the proxy, which has one of its own.
PEOPLE = {name: speaker for name, speaker in SPEAKERS.items() if speaker.token and speaker.key == PROXY_KEY}


@pytest.fixture(scope="module")
def ground(stack: Stack) -> Iterator[Ground]:
    with Db.connect(stack.database_url, autocommit=True) as db:
        yield make_ground(stack, db)


@pytest.fixture(scope="module", autouse=True)
async def worker_api(stack: Stack, ground: Ground) -> AsyncIterator[Served]:
    """The worker's API as what VPS_URL names."""
    async with served(ground) as api:
        stack.set_function_secrets(VPS_URL=api.url, VPS_API_KEY=PROXY_KEY)
        yield api


@pytest.fixture(scope="module")
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A page of the CRM."""
    headers = {"apikey": stack.publishable_key}
    url = f"{stack.url}/functions/v1/proxy-whatsapp-vps"
    async with loopback(base_url=url, headers=headers, timeout=60) as http:
        yield http


async def ask(
    http: httpx.AsyncClient, ground: Ground, name: str, cell: Cell, speaker: Speaker, whose: Whose
) -> httpx.Response:
    own, other = (ground.home, ground.away) if speaker.at_home else (ground.away, ground.home)
    request = dict(cell.ask(ground, own if whose is Whose.OWN else other))
    path = ROUTE[name].path.format(**request.pop("parts", {}))
    if ROUTE[name].method == "GET":
        request.pop("json", None)
    assert speaker.token
    headers = {
        "Authorization": f"Bearer {speaker.token(ground)}",
        "X-Org-Id": str((other if whose is Whose.OTHER else own).id),
    }
    return await http.request(ROUTE[name].method, path, headers=headers, **request)


def said(answer: httpx.Response) -> tuple[int, str | None]:
    is_problem = "problem" in answer.headers.get("content-type", "")
    return answer.status_code, str(answer.json()["code"]) if is_problem else None


@pytest.mark.parametrize("name", CELLS)
async def test_through_the_proxy_everyone_gets_what_is_theirs(
    http: httpx.AsyncClient, ground: Ground, name: str
) -> None:
    cell, wrong = CELLS[name], []
    for who, speaker in PEOPLE.items():
        for whose in Whose:
            wanted = expected(cell, speaker, whose)
            if name in CLOSED:
                wanted = speaker.refused or (404, "no-such-route")
            if wanted is None:
                continue
            answer = await ask(http, ground, name, cell, speaker, whose)
            if said(answer) != wanted:
                wrong.append(f"{who}, {whose}: {said(answer)} instead of {wanted}")
            foreign = ground.away if speaker.at_home else ground.home
            entitled = wanted[0] < 300 and whose is Whose.OTHER
            if not entitled and foreign.marks(answer.content):
                wrong.append(f"{who}, {whose}: tells of the other organisation")
    assert not wrong, "\n".join(wrong)


async def test_the_qr_code_comes_as_a_picture_too(http: httpx.AsyncClient, ground: Ground) -> None:
    token = PEOPLE["admin"].token
    assert token
    headers = {"Authorization": f"Bearer {token(ground)}", "Accept": "image/png"}
    answer = await http.get("/api/auth/qr", params={"session_id": str(ground.home.linking)}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content.startswith(b"\x89PNG")
