"""The aiohttp application: what surrounds every call, from the request's id to the problem that ends it."""

import hmac
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import uuid4

import structlog
from aiohttp import web

from worker.api.events.client import Parts as EventParts
from worker.api.events.endpoint import Events
from worker.api.events.hub import EventHub
from worker.api.events.limits import EventLimits
from worker.api.http.caller import REMEMBER_SECONDS, Caller, Callers
from worker.api.http.database_problems import problem_from
from worker.api.http.docs_page import docs_page
from worker.api.http.limits import POLL_SECONDS, Limits
from worker.api.http.metrics import Metrics
from worker.api.http.network import Network, may_enter, with_cors
from worker.api.http.openapi import describe
from worker.api.http.parts import Changes, Parts
from worker.api.http.problem import BY_STATUS, Problem
from worker.api.http.routing import Call, Cost, Route, admit, run
from worker.api.http.tokens import LEEWAY, Tokens
from worker.api.routes import accounts, commands, groups, groups_write, messages, queue, send
from worker.api.routes.health import Health, health_handler
from worker.api_keys import ApiKey
from worker.errors import DatabaseRefused, StoreError
from worker.outcome import Settlement
from worker.settings import Settings
from worker.supabase.api_calls import ApiCalls
from worker.supabase.client import Database

log = structlog.get_logger()

#: Every route of the API, by module.
TABLES = (
    accounts.routes,
    send.routes,
    messages.routes,
    groups.routes,
    groups_write.routes,
    commands.routes,
    queue.routes,
)
ROUTES: tuple[Route, ...] = tuple(route for table in TABLES for route in table.table)

#: Connections to Supabase, for all callers together.
CONNECTIONS = 64

#: Bytes of a body: 1,000 recipients with their values.
LARGEST_BODY = 2 * 1024 * 1024

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

_ID, _ROUTE = web.RequestKey("id", str), web.RequestKey("route", str)
_CALLER = web.RequestKey("caller", Caller)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """The operator's settings for the API."""

    supabase_url: str
    service_key: str = field(repr=False)
    keys: Sequence[ApiKey]
    version: str
    metrics_key: str = field(default="", repr=False)
    allowed_origins: Sequence[str] = ()
    allowed_ips: Sequence[Network] = ()
    trusted_proxies: Sequence[Network] = ()
    requests_per_minute: int = 600
    sends_per_minute: int = 10
    poll_seconds: float = POLL_SECONDS
    remember_seconds: float = REMEMBER_SECONDS
    clock_leeway: float = LEEWAY
    event_limits: EventLimits = field(default_factory=EventLimits)

    @classmethod
    def of(cls, settings: Settings, version: str) -> "ApiSettings":
        """Take them from the worker's."""
        return cls(
            supabase_url=settings.supabase_url,
            service_key=settings.supabase_service_key.get_secret_value(),
            keys=settings.api_keys(),
            version=version,
            metrics_key=settings.metrics_key.get_secret_value() if settings.metrics_key else "",
            allowed_origins=settings.allowed_origins,
            allowed_ips=settings.allowed_ips,
            trusted_proxies=settings.trusted_proxies,
            requests_per_minute=settings.api_requests_per_minute,
            sends_per_minute=settings.api_sends_per_minute,
        )


class Api:
    """The API of one worker; ``app`` is served between ``__aenter__`` and ``__aexit__``."""

    def __init__(
        self, settings: ApiSettings, health: Health, wake: Callable[[float], None], metrics: Metrics
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._metrics.ask(self._figures)
        self.changes = Changes()
        self._database = Database(settings.supabase_url, settings.service_key, connections=CONNECTIONS)
        self._calls = ApiCalls(self._database)
        self._tokens = Tokens(settings.supabase_url, settings.clock_leeway)
        limits = Limits(
            self._calls,
            requests=settings.requests_per_minute,
            sends=settings.sends_per_minute,
            poll_seconds=settings.poll_seconds,
        )
        self._parts = Parts(self._database, self._calls, limits, self.changes, wake)
        self._callers = Callers(settings.keys, self._tokens, self._calls, settings.remember_seconds)
        hub = EventHub(settings.supabase_url, settings.service_key, self._database)
        self._events = Events(
            EventParts(
                callers=self._callers,
                limits=limits,
                database=self._database,
                hub=hub,
                origins=settings.allowed_origins,
                event_limits=settings.event_limits,
            )
        )
        metrics.watch(
            "herald_event_clients", "Clients of WS /api/events.", "", lambda: {"": float(len(self._events))}
        )
        self.app = web.Application(middlewares=[self._surround], client_max_size=LARGEST_BODY)
        self.app.on_shutdown.append(self._end_waits)
        self.app.router.add_get("/health", health_handler(health))
        self.app.router.add_route("GET", "/metrics", self._get_metrics)
        openapi = describe(ROUTES, settings.version)
        for path, answer in {
            "/openapi.json": web.json_response(openapi).body,
            "/docs": docs_page(ROUTES, openapi),
        }.items():
            self.app.router.add_route("GET", path, _fixed(path, answer))
        self.app.router.add_route("GET", "/api/events", self._events.handle)
        for route in ROUTES:
            self.app.router.add_route(route.method, route.path, self._handler(route), name=route.name)

    async def __aenter__(self) -> Self:
        return self

    def settled(self, settlement: Settlement) -> None:
        """Count a send, and wake the calls that wait for its message."""
        self._metrics.settled(settlement.outcome)
        self.changes.tell(settlement.message_id)

    async def run(self) -> None:
        """Keep the project's signing keys at hand, until cancelled."""
        await self._tokens.run()

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._database.aclose()

    async def _end_waits(self, _: web.Application) -> None:
        self.changes.end()
        await self._events.end()

    def _handler(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            request[_ROUTE] = route.path
            caller = await self._callers.identify(request)
            request[_CALLER] = caller
            admit(route, caller)
            if caller.organization is not None:
                if route.cost is Cost.POLL:
                    await self._parts.limits.poll(caller.organization, route.path, caller.user)
                else:
                    await self._parts.limits.request(caller.organization)
            return await run(route, Call(request, request[_ID], caller, self._parts))

        return handle

    async def _figures(self) -> Mapping[str, Mapping[str, float]] | None:
        """The database's figures over all organisations; None: the database can't be reached."""
        try:
            return await self._calls.figures()
        except (StoreError, DatabaseRefused) as error:
            log.warning("supabase_unreachable", kind="metrics", error=error)
            return None

    async def _get_metrics(self, request: web.Request) -> web.Response:
        """Requires a key: a call from this host may be anybody's, through a proxy that adds no header."""
        given = request.headers.get("X-API-Key") or request.headers.get("Authorization", "").partition(" ")[2]
        if not self._reads_metrics(given):
            raise Problem(
                401,
                "key-missing",
                "Metrics are for the operator.",
                "Send METRICS_KEY, or the operator's API key, as bearer token or X-API-Key.",
            )
        body = await self._metrics.exposition()
        return web.Response(body=body, headers={"Content-Type": self._metrics.content_type})

    def _reads_metrics(self, given: str) -> bool:
        known = self._settings.metrics_key
        same = hmac.compare_digest(given.encode(errors="surrogatepass"), known.encode())
        return (bool(known) and same) or self._callers.is_operator(given)

    @web.middleware
    async def _surround(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid4())
        request[_ID] = request_id
        request[_ROUTE] = ""
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = await self._answer(request, handler)
            seconds = time.perf_counter() - began
            self._note(request, response, seconds)
        headers = response.headers
        headers["X-Request-Id"] = request_id
        headers["Server"] = "herald"
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("Cache-Control", "no-store")
        return with_cors(request, response, self._settings.allowed_origins)

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Always answer; of an error the answer names only the kind."""
        try:
            settings = self._settings
            if request.path != "/health":
                may_enter(request, settings.allowed_ips, settings.trusted_proxies)
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                return web.Response(status=204)
            return await handler(request)
        except Problem as problem:
            return problem.response(request[_ID])
        except web.HTTPException as error:
            return _from_aiohttp(error).response(request[_ID])
        except StoreError as error:
            log.warning("supabase_unreachable", kind="api", error=error)
            return _away().response(request[_ID])
        except DatabaseRefused as refused:
            return await self._refused(refused, request[_ID])
        except Exception:
            log.exception("api_broke", route=request[_ROUTE])
            return _ours().response(request[_ID])

    async def _refused(self, refused: DatabaseRefused, request_id: str) -> web.Response:
        try:
            problem = await problem_from(refused, self._parts.calls)
        except (StoreError, DatabaseRefused):
            problem = _away()
        if problem is None:
            log.error("database_refused", code=refused.code, status=refused.status)
            problem = _ours()
        return problem.response(request_id)

    def _note(self, request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        route = request[_ROUTE]
        if isinstance(response, web.WebSocketResponse):  # its duration says how long a client stayed connected
            return
        self._metrics.request(request.method if route else "", route, response.status, seconds)
        if route:
            caller = request.get(_CALLER)
            log.info(
                "api_request",
                method=request.method,
                route=route,
                status=response.status,
                seconds=round(seconds, 4),
                kind=caller.role.value if caller else None,
                organization_id=caller.organization if caller else None,
            )


def _fixed(path: str, body: object) -> Handler:
    content_type = "application/json" if path.endswith(".json") else "text/html"
    headers = {"Cache-Control": "no-cache"}
    if content_type == "text/html":
        headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        )

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)

    return answer


def _from_aiohttp(error: web.HTTPException) -> Problem:
    code, detail, hint = BY_STATUS.get(error.status, BY_STATUS[400])
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return Problem(error.status if error.status in BY_STATUS else 400, code, detail, hint, headers=headers)


def _away() -> Problem:
    return Problem(
        503,
        "database-away",
        "Supabase does not answer now.",
        "Try again; with the same Idempotency-Key.",
        retry_after=2,
    )


def _ours() -> Problem:
    return Problem(
        500, "internal", "Something is wrong in Herald.", "Give the operator the request_id: it is in the log."
    )
