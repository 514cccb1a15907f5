"""What is generated from the worker's routes: the proxy's allow-list and the lists of calls in two docs pages."""

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path

from localstack.layout import REPOSITORY
from worker.api.app import ROUTES
from worker.api.http.routing import Access, Route

ALLOW_LIST = REPOSITORY / "supabase/functions/_shared/proxy/routes.ts"
API_PAGE = REPOSITORY / "docs/api.md"
FUNCTIONS_PAGE = REPOSITORY / "docs/functions.md"

_BEGIN = "<!-- routes: generated from worker/api by scripts/types; don't edit -->"
_END = "<!-- /routes -->"
_HEAD = """\
// Generated from the worker's routes (worker/api) by scripts/types; don't edit.
// Which calls of the worker's API a signed-in person may make through the proxy, and in which role. The worker
// checks the role again. A route that is for servers only is not here.

export type Role = "member" | "admin";
export type Method = {methods};

export interface Route {{
  /** Segments; one in braces stands for any one segment. */
  path: string;
  methods: Partial<Record<Method, Role>>;
  /** A media type that the worker may answer with beside JSON. */
  alsoAnswers?: string;
}}

export const METHODS: readonly Method[] = [{listed}];

export const ROUTES: readonly Route[] = [
"""
_CALLERS = {
    Access.MEMBER: "members",
    Access.ADMIN: "owners and admins",
    Access.SERVER: "servers and the operator",
}


def made_from_routes(routes: Iterable[Route] = ROUTES) -> dict[Path, str]:
    """Each file that is generated from the routes, and its right content.

    Raises ValueError for a page that has lost the marks around its list.
    """
    table = sorted(routes, key=lambda route: (route.path, route.method))
    open_to_people = [route for route in table if route.access is not Access.SERVER]
    return {
        ALLOW_LIST: allow_list(open_to_people),
        API_PAGE: _with_list(API_PAGE, all_calls(table)),
        FUNCTIONS_PAGE: _with_list(FUNCTIONS_PAGE, calls_by_role(open_to_people)),
    }


def allow_list(routes: Iterable[Route]) -> str:
    """The text of routes.ts. routes: those that a person may call, sorted by path."""
    lines: list[str] = []
    used: set[str] = set()
    for path, same_path in groupby(routes, key=lambda route: route.path):
        group = list(same_path)
        roles = {route.method: route.access.value for route in group}
        used |= {*roles}
        entry = f"path: {json.dumps(path)}, methods: {{ {_fields(roles)} }}"
        others = {kind for route in group for kind in route.content_types} - {"application/json"}
        entry += "".join(f", alsoAnswers: {json.dumps(kind)}" for kind in sorted(others))
        lines.append(f"  {{ {entry} }},\n")
    names = [json.dumps(name) for name in sorted(used)]
    head = _HEAD.format(methods=" | ".join(names), listed=", ".join(names))
    return f"{head}{''.join(lines)}];\n"


def all_calls(routes: Iterable[Route]) -> str:
    """A Markdown table: each call, who may make it and what it does."""
    lines = ["| call | who may | what it does |", "|---|---|---|"]
    lines += [f"| {_call(route)} | {_CALLERS[route.access]} | {route.summary} |" for route in routes]
    return "\n".join(lines)


def calls_by_role(routes: Iterable[Route]) -> str:
    """A Markdown table: each call and who may make it."""
    lines = ["| call | who may |", "|---|---|"]
    lines += [f"| {_call(route)} | {_CALLERS[route.access]} |" for route in routes]
    return "\n".join(lines)


def _call(route: Route) -> str:
    return f"`{route.method} {route.path}`"


def _fields(roles: Mapping[str, str]) -> str:
    return ", ".join(f"{method}: {json.dumps(role)}" for method, role in roles.items())


def _with_list(page: Path, table: str) -> str:
    before, begin, rest = page.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no place for its list of routes: put '{_BEGIN}' and '{_END}' there")
    return f"{before}{begin}\n{table}\n{end}{after}"
