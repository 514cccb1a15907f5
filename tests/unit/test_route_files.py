"""The proxy's allow-list and the route lists in the docs follow from the worker's own routes."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.schema.__main__ import stale
from scripts.schema.routes import ALLOW_LIST, API_PAGE, FUNCTIONS_PAGE, made_from_routes
from worker.api.app import ROUTES
from worker.api.http.routing import Access, Route


def listed(text: str) -> dict[tuple[str, str], str]:
    """What a routes.ts says: (method, path) → role."""
    entries = re.findall(r'path: "([^"]+)", methods: \{ ([^}]+) \}', text)
    return {
        (method, path): role
        for path, methods in entries
        for method, role in re.findall(r'(\w+): "(\w+)"', methods)
    }


def with_access(path: str, access: Access) -> list[Route]:
    return [replace(route, access=access) if route.path == path else route for route in ROUTES]


def test_the_committed_files_are_what_the_routes_give() -> None:
    assert stale(made_from_routes()) == []


def test_the_proxy_lists_each_route_for_people_in_its_role_and_no_other() -> None:
    wanted = {(one.method, one.path): one.access.value for one in ROUTES if one.access is not Access.SERVER}
    assert listed(ALLOW_LIST.read_text()) == wanted


def test_a_route_whose_role_changes_makes_the_list_and_both_pages_stale() -> None:
    changed = made_from_routes(with_access("/api/stats", Access.ADMIN))
    assert len(stale(changed)) == 3
    assert listed(changed[ALLOW_LIST])["GET", "/api/stats"] == "admin"


def test_a_route_that_becomes_for_servers_only_leaves_the_proxy_and_stays_on_the_api_page() -> None:
    made = made_from_routes(with_access("/api/stats", Access.SERVER))
    assert ("GET", "/api/stats") not in listed(made[ALLOW_LIST])
    assert "/api/stats" not in made[FUNCTIONS_PAGE]
    assert "| `GET /api/stats` | servers and the operator |" in made[API_PAGE]


def test_a_picture_is_let_through_on_the_route_that_answers_with_one() -> None:
    lines = [line for line in ALLOW_LIST.read_text().splitlines() if "alsoAnswers: " in line]
    assert lines == ['  { path: "/api/auth/qr", methods: { GET: "admin" }, alsoAnswers: "image/png" },']


@pytest.mark.parametrize("page", [API_PAGE, FUNCTIONS_PAGE], ids=lambda page: page.name)
def test_a_route_that_a_page_shows_in_its_list_exists(page: Path) -> None:
    known = {f"{route.method} {route.path}" for route in ROUTES} | {
        "GET /health",
        "GET /metrics",
        "GET /docs",
        "GET /openapi.json",
    }
    assert {*re.findall(r"`((?:GET|POST|PATCH|PUT|DELETE) /[^`?]*)`", page.read_text())} <= known
