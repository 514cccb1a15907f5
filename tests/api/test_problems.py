"""What the API says when it can't do what was asked: always problem+json, never anything of an error's inside."""

import ast
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

import worker.api
from tests.kit.served_api import HOME_KEY, PROXY_KEY, Ground, Person, Served, served
from worker.api.http.codes import CODES
from worker.api.http.problem import BY_STATUS, without_numbers

JSON, TEXT = {"Content-Type": "application/json"}, {"Content-Type": "text/plain"}


@pytest.mark.parametrize(
    ("method", "path", "request_", "wanted"),
    [
        ("GET", "/api/nothing", {}, (404, "no-such-route")),
        ("DELETE", "/api/groups", {}, (405, "method-not-allowed")),
        ("POST", "/api/send", {"data": "to=x", "headers": TEXT}, (415, "wrong-content-type")),
        ("POST", "/api/send", {"data": b"{", "headers": JSON}, (400, "bad-json")),
        ("POST", "/api/send", {"data": b"\xff", "headers": JSON}, (400, "bad-json")),
        ("POST", "/api/send", {"data": b"[" * 100_000, "headers": JSON}, (400, "bad-json")),
        ("POST", "/api/send", {"json": []}, (422, "invalid-request")),
        ("GET", "/api/groups?colour=red", {}, (422, "invalid-request")),
        ("GET", "/api/groups?limit=1&limit=2", {}, (422, "invalid-request")),
        ("GET", "/api/groups?limit=many", {}, (422, "invalid-request")),
        ("GET", "/api/stats?x=1", {}, (422, "invalid-request")),
        ("GET", "/api/messages/not-an-id", {}, (422, "invalid-request")),
        ("GET", "/api/messages?cursor=0.x", {}, (422, "invalid-request")),
        ("GET", "/api/groups", {"headers": {"X-Org-Id": "mine"}}, (400, "bad-request")),
        ("GET", "/api/groups", {"headers": {"Authorization": "Basic abc"}}, (401, "token-invalid")),
    ],
)  # fmt: skip
async def test_each_mistake_has_its_problem(
    api: Served, method: str, path: str, request_: dict[str, Any], wanted: tuple[int, str]
) -> None:
    said = await api.ask(method, path, key=HOME_KEY, **request_)
    assert (said.status, said.code) == wanted, said.content
    assert said.headers["Content-Type"] == "application/problem+json"
    assert said.json["request_id"] == said.headers["X-Request-Id"]
    assert said.json["detail"]
    assert said.json["type"] == f"/docs#{said.code}"


async def test_a_body_that_is_too_large_is_not_read(api: Served) -> None:
    said = await api.ask("POST", "/api/send", key=HOME_KEY, data=io.BytesIO(b" " * 3_000_000), headers=JSON)
    assert (said.status, said.code) == (413, "too-large")


async def test_a_wrong_method_names_the_right_ones(api: Served) -> None:
    said = await api.ask("PUT", "/api/groups", key=HOME_KEY)
    assert said.headers["Allow"] == "GET,POST"


async def test_a_sane_request_id_is_kept_and_another_replaced(api: Served) -> None:
    kept = await api.ask("GET", "/api/nothing", headers={"X-Request-Id": "from-the-proxy-1"})
    assert kept.headers["X-Request-Id"] == "from-the-proxy-1"
    for odd in ("short", "x" * 65, "with space 12345", "<script>alert(1)"):
        replaced = await api.ask("GET", "/api/nothing", headers={"X-Request-Id": odd})
        assert replaced.headers["X-Request-Id"] != odd


async def test_when_supabase_is_away_it_says_so_and_when_to_try_again(ground: Ground) -> None:
    async with served(ground, supabase_url="http://127.0.0.1:1") as other:
        server = await other.ask("GET", "/api/groups", key=HOME_KEY)
        user = await other.ask("GET", "/api/groups", token=ground.token(Person.ADMIN))
    assert (server.status, server.code, server.headers["Retry-After"]) == (503, "database-away", "2")
    assert (user.status, user.code, user.headers["Retry-After"]) == (503, "auth-unavailable", "5")


async def test_a_fault_of_ours_tells_nothing_of_itself(ground: Ground) -> None:
    def broken(_: float) -> None:
        raise RuntimeError("secret +491709876567")

    async with served(ground, wake=broken) as other:
        said = await other.ask("POST", "/api/queue/drain", key=HOME_KEY)
    assert (said.status, said.code) == (500, "internal")
    assert b"secret" not in said.content
    assert b"170" not in said.content


async def test_without_keys_the_api_is_closed_and_health_is_not(ground: Ground) -> None:
    async with served(ground, keys=()) as closed:
        said = await closed.ask("GET", "/api/groups", key=PROXY_KEY)
        health = await closed.ask("GET", "/health", key=None)
    assert (said.status, said.code, health.status) == (503, "api-closed", 200)


async def test_no_answer_names_the_software_or_may_be_stored(api: Served) -> None:
    said = await api.ask("GET", "/api/groups", key=HOME_KEY)
    assert said.headers["Server"] == "herald"
    assert said.headers["Cache-Control"] == "no-store"
    assert said.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("+491709876567 has opted out on 2026-11-28", "…67 has opted out on 2026-11-28"),
        ("call 0170 123 45 67 now", "call …67 now"),
        ("message 7b0f3d1e-5f6c-4a52-9a0f-123456789012 is sent", None),
        ("24 of 1000 in 60 s", None),
    ],
)
def test_numbers_are_taken_out_and_ids_and_dates_stay(said: str, shown: str | None) -> None:
    assert without_numbers(said) == (shown or said)


async def test_openapi_describes_every_route_with_its_problems(api: Served) -> None:
    document = json.loads((await api.ask("GET", "/openapi.json", key=None)).content)
    assert document["openapi"] == "3.1.0"
    references = {part["$ref"] for part in _objects(document) if isinstance(part.get("$ref"), str)}
    for reference in references:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["operationId"]
            assert operation["summary"]
            if path.startswith("/api"):
                assert {"401", "403", "422", "429", "503"} <= set(operation["responses"])


def test_every_code_is_explained_where_a_problem_points() -> None:
    raised = set()
    for file in Path(worker.api.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if called in ("Problem", "_refused"):
                assert isinstance(node, ast.Call)
                raised |= {a.value for a in node.args if isinstance(a, ast.Constant) and _is_code(a.value)}
    raised |= {code for code, *_ in BY_STATUS.values()}
    assert {"no-qr", "token-expired", "not-connected", "bad-json"} <= raised
    assert raised <= set(CODES)


def _is_code(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z]+(-[a-z]+)*", value) is not None


def _objects(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, dict):
        return [part, *(found for value in part.values() for found in _objects(value))]
    return [found for value in part for found in _objects(value)] if isinstance(part, list) else []


async def test_the_docs_page_takes_nothing_from_outside(api: Served) -> None:
    said = await api.ask("GET", "/docs", key=None)
    page = said.content.decode()
    assert "<script" not in page
    assert "http://" not in page.replace("http://127.0.0.1", "")
    assert "https://" not in page
    assert "default-src 'none'" in said.headers["Content-Security-Policy"]
    assert all(f"id={name}" in page for name in ("send_bulk", "get_qr", "drain", "no-qr", "internal"))
