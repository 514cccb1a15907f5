"""OpenAPI 3.1 of the table of routes, from the models that check requests and write answers."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from worker.api.http.caller import Role
from worker.api.http.problem import CONTENT_TYPE, ProblemBody
from worker.api.http.routing import Access, Route

_REF = "#/components/schemas/{model}"

#: Problems that every call may end with, and those of calls with a body or a path.
_ALWAYS = (400, 401, 403, 409, 422, 429, 500, 503)
_BODY, _PATH = (413, 415), (404,)

_HEADERS = [
    {
        "name": "X-Org-Id",
        "in": "header",
        "required": False,
        "description": "chooses among the caller's organisations; the operator names any",
        "schema": {"type": "string", "format": "uuid"},
    },
    {
        "name": "X-Request-Id",
        "in": "header",
        "required": False,
        "description": "8 to 64 letters, digits, dots, dashes or underscores: stands in logs, in the audit and in"
        " the answer; instead of another, or of none, one is made",
        "schema": {"type": "string"},
    },
]

_WHO = {
    Access.MEMBER: "Members and admins of the organisation, its servers, the operator.",
    Access.ADMIN: "Owners and admins of the organisation, its servers, the operator.",
    Access.SERVER: "Servers and the operator, without a user's token.",
}


def describe(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """Write the OpenAPI document."""
    schemas = _schemas(routes)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    paths["/health"] = {"get": _health()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Herald",
            "version": version,
            "description": "Sends an organisation's WhatsApp messages. Whose calls they are is told by the key, by"
            " the user's token and by the database.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": [], "user": []}, {"key": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): _problem_response(status) for status in sorted({*_ALWAYS, *_BODY, *_PATH})},
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "one of the worker's API_KEY: the proxy's and operator's, or an organisation's",
                },
                "user": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "the user's access token from Supabase Auth",
                },
            },
        },
    }


def _models(routes: Sequence[Route]) -> Iterable[tuple[type[BaseModel], str]]:
    for route in routes:
        if "body" in route.models:
            yield route.models["body"], "validation"
        for model in route.answers.values():
            yield model, "serialization"
    yield ProblemBody, "serialization"


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    wanted: Any = list(dict.fromkeys(_models(routes)))
    _, definitions = models_json_schema(wanted, ref_template=_REF)
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


def _operation(route: Route) -> dict[str, Any]:
    problems = [*_ALWAYS, *(_BODY if "body" in route.models else ()), *_PATH]
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary.rstrip("."),
        "description": f"{route.description}\n\nFor: {_WHO[route.access]}".strip(),
        "parameters": [*_parameters(route), *_HEADERS],
        "responses": {
            **{str(status): _response(route, status, model) for status, model in route.answers.items()},
            **{str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(problems)},
        },
    }
    if "body" in route.models:
        operation["requestBody"] = {"required": True, "content": _content(route.models["body"])}
    if route.access is Access.SERVER:
        operation["security"] = [{"key": []}]
    operation["x-roles"] = [role.value for role in Role if _admits(route.access, role)]
    return operation


def _admits(access: Access, role: Role) -> bool:
    match access:
        case Access.MEMBER:
            return True
        case Access.ADMIN:
            return role is not Role.MEMBER
        case Access.SERVER:
            return role in (Role.SERVER, Role.OPERATOR)


def _parameters(route: Route) -> list[dict[str, Any]]:
    found = []
    for place in ("path", "query"):
        if place not in route.models:
            continue
        model = route.models[place]
        schema = model.model_json_schema()
        for name, field in schema.get("properties", {}).items():
            described = _inlined(field, schema.get("$defs", {}))
            words = described.pop("description", None)
            described.pop("title", None)
            if described.get("default", ...) is None:
                described.pop("default")
            found.append(
                {
                    "name": name,
                    "in": place,
                    "required": place == "path" or name in schema.get("required", ()),
                    **({"description": words} if words else {}),
                    "schema": described,
                }
            )
    found += [
        {"name": name, "in": "header", "required": False, "description": words, "schema": _HEADER_SCHEMA}
        for name, words in route.headers.items()
    ]
    return found


_HEADER_SCHEMA = {"type": "string", "pattern": r"^[\x21-\x7e]{1,200}$"}


def _inlined(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Write a parameter's schema without references, and without the null that only Python knows."""
    merged = dict(field)
    if "anyOf" in merged:
        options = [option for option in merged.pop("anyOf") if option.get("type") != "null"]
        merged = {**options[0], **merged} if len(options) == 1 else {**merged, "anyOf": options}
    if "$ref" in merged:
        merged = {**definitions[merged.pop("$ref").rpartition("/")[2]], **merged}
    return merged


def _content(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _response(route: Route, status: int, model: type[BaseModel]) -> dict[str, Any]:
    content = _content(model)
    for content_type in route.content_types:
        content.setdefault(content_type, {"schema": {"type": "string", "format": "binary"}})
    return {"description": HTTPStatus(status).phrase, "headers": _RESPONSE_HEADERS, "content": content}


_RESPONSE_HEADERS = {"X-Request-Id": {"schema": {"type": "string"}}}


def _problem_response(status: int) -> dict[str, Any]:
    headers: dict[str, Any] = dict(_RESPONSE_HEADERS)
    if status in (429, 503):
        headers["Retry-After"] = {"schema": {"type": "string"}, "description": "seconds"}
    return {
        "description": HTTPStatus(status).phrase,
        "headers": headers,
        "content": {CONTENT_TYPE: {"schema": {"$ref": _REF.format(model=ProblemBody.__name__)}}},
    }


def _health() -> dict[str, Any]:
    state = {"content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "operationId": "get_health",
        "summary": "Is the worker alive, and can it do its work?",
        "security": [],
        "responses": {
            "200": {"description": "It can.", **state},
            "503": {"description": "It lives, but Supabase does not answer.", **state},
        },
    }
