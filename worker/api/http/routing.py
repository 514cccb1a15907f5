"""The table of routes, and how a request becomes a handler's call and its answer a response.

A route's models are read off its handler: ``path`` and ``query`` (models of strings), ``body`` (a model of JSON),
and the model that it returns. From the same table come the checks, OpenAPI, the docs page and the tests' matrix.
"""

import inspect
import json
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from worker.api.http.caller import Caller, Role
from worker.api.http.problem import FieldError, Problem, without_numbers
from worker.supabase.tenant import Tenant

if TYPE_CHECKING:
    from worker.api.http.parts import Parts


class Query(BaseModel):
    """Parameters of the path or the query."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Answer(BaseModel):
    """What the API answers; of a database row it takes the columns that it names."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Access(StrEnum):
    """Who may call a route. The database decides again for a user, row by row."""

    MEMBER = "member"  #: everybody of the organisation, its servers, the operator
    ADMIN = "admin"  #: its owners and admins, super admins, its servers, the operator
    SERVER = "server"  #: servers and the operator, no users; the operator without an organisation too


class Cost(StrEnum):
    """What a call counts against."""

    REQUEST = "request"
    POLL = "poll"  #: free up to once a second


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not a plain 200; content: bytes of another type than JSON."""

    body: BaseModel | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a known caller."""

    request: web.Request
    request_id: str
    caller: Caller
    parts: "Parts"

    @property
    def tenant(self) -> Tenant:
        """The caller's organisation in the database. Raises Problem if none was named."""
        return Tenant(
            database=self.parts.database,
            organization=self.organization,
            token=self.caller.token,
            headers={"X-Request-Id": self.request_id, "X-Herald-Caller": self.caller.role.value},
        )

    @property
    def organization(self) -> UUID:
        """The organisation that the caller acts for."""
        if self.caller.organization is None:
            raise Problem(400, "organization-needed", "Which organisation?", "Name it in the header X-Org-Id.")
        return self.caller.organization


Handler = Callable[..., Awaitable["BaseModel | Reply"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One line of the table. answers: model by status; content_types: what its answers may be."""

    method: str
    path: str
    handler: Handler
    access: Access
    cost: Cost
    tag: str
    answers: Mapping[int, type[BaseModel]]
    content_types: tuple[str, ...]
    models: Mapping[str, type[BaseModel]]  #: by place: path, query, body
    headers: Mapping[str, str]  #: request headers that the handler reads, with their description

    @property
    def name(self) -> str:
        """A stable name for logs, metrics and OpenAPI."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return inspect.cleandoc(self.handler.__doc__ or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """The rest of it."""
        return inspect.cleandoc(self.handler.__doc__ or "").partition("\n")[2].strip()


class Routes:
    """Collects a module's routes: ``@routes.get("/api/things", access=Access.MEMBER)``."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.table: list[Route] = []

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Register a route that reads."""
        return self._add("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Register a route that does something."""
        return self._add("POST", path, **options)

    def patch(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Register a route that changes something."""
        return self._add("PATCH", path, **options)

    def _add(
        self,
        method: str,
        path: str,
        *,
        access: Access,
        cost: Cost = Cost.REQUEST,
        answers: Mapping[int, type[BaseModel]] | None = None,
        content_types: tuple[str, ...] = ("application/json",),
        headers: Mapping[str, str] | None = None,
    ) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            hints = typing.get_type_hints(handler)
            returned = hints.pop("return")
            if answers is None:
                returned = next(kind for kind in typing.get_args(returned) or (returned,) if kind is not Reply)
            self.table.append(
                Route(
                    method=method,
                    path=path,
                    handler=handler,
                    access=access,
                    cost=cost,
                    tag=self.tag,
                    answers=answers or {200: returned},
                    content_types=content_types,
                    models={place: hints[place] for place in ("path", "query", "body") if place in hints},
                    headers=headers or {},
                )
            )
            return handler

        return register


def admit(route: Route, caller: Caller) -> None:
    """Refuse a caller who may not call this route at all. Raises Problem 403."""
    users_only_see = caller.role in (Role.MEMBER, Role.ADMIN)
    if route.access is Access.SERVER and users_only_see:
        raise Problem(
            403, "not-allowed", "This is for servers and the operator.", "Call it without a user's token."
        )
    if route.access is Access.ADMIN and not caller.administers:
        raise Problem(
            403, "not-allowed", "This is for owners and admins of the organisation.", "Ask one of them to do it."
        )


async def run(route: Route, call: Call) -> web.Response:
    """Check the request, call the handler, write down its answer. Raises Problem."""
    arguments: dict[str, BaseModel] = {}
    for place, model in route.models.items():
        if place == "body":
            arguments[place] = await _body(call.request, model)
        else:
            arguments[place] = _strings(call.request, place, model)
    if "query" not in route.models and call.request.query:
        raise _unwanted("query", next(iter(call.request.query)))
    answer = await route.handler(call, **arguments)
    reply = answer if isinstance(answer, Reply) else Reply(answer)
    content = reply.content if reply.body is None else reply.body.model_dump_json().encode()
    return web.Response(
        status=reply.status, body=content, content_type=reply.content_type, headers=dict(reply.headers)
    )


def _strings(request: web.Request, place: str, model: type[BaseModel]) -> BaseModel:
    given: Mapping[str, str] = request.match_info if place == "path" else request.query
    if place == "query" and len(set(request.query)) < len(request.query):
        name = next(name for name in request.query if len(request.query.getall(name)) > 1)
        raise _wrong([FieldError(place=place, pointer=_pointer((name,)), detail="It may be given once.")])
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        raise _wrong(_errors(error, place)) from None


async def _body(request: web.Request, model: type[BaseModel]) -> BaseModel:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    raw = await request.read()
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        if any(part["type"] == "json_invalid" for part in error.errors(include_url=False, include_input=False)):
            raise Problem(400, "bad-json", "The body is not valid JSON.", _where(raw)) from None
        raise _wrong(_errors(error, "body")) from None


def _where(raw: bytes) -> str:
    try:
        json.loads(raw)
    except json.JSONDecodeError as error:
        return f"See line {error.lineno}, column {error.colno}."
    except UnicodeDecodeError:
        return "Write it in UTF-8."
    except RecursionError:
        return "It is nested too deeply."
    return "Leave out what JSON does not know, such as NaN or half a surrogate pair."


def _errors(error: ValidationError, place: str) -> list[FieldError]:
    return [
        FieldError(
            place=place,
            pointer=_pointer(part["loc"]),
            detail=_words(part["msg"]),
        )
        for part in error.errors(include_url=False, include_input=False, include_context=False)[:20]
    ]


def _pointer(steps: tuple[int | str, ...]) -> str:
    names = (without_numbers(str(step)[:100]).replace("~", "~0").replace("/", "~1") for step in steps)
    return "".join(f"/{name}" for name in names)


def _words(text: str) -> str:
    words = text.removeprefix("Value error, ")
    return (words[:1].upper() + words[1:]).rstrip(".") + "."


def _wrong(errors: list[FieldError]) -> Problem:
    first = errors[0]
    where = f"{first.place} {first.pointer}" if first.pointer else first.place
    return Problem(
        422,
        "invalid-request",
        f"{where}: {first.detail}",
        "See errors for each field; /docs shows what is taken.",
        errors=errors,
    )


def _unwanted(place: str, name: str) -> Problem:
    return _wrong([FieldError(place=place, pointer=_pointer((name,)), detail="There is no such parameter.")])
