"""Puts the gateway's parts on one port."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from localstack.credentials import Credentials
from localstack.gateway.access import Access
from localstack.gateway.auth import Auth
from localstack.gateway.cron import Cron
from localstack.gateway.errors import FUNCTIONS, add_cors, json_errors
from localstack.gateway.functions import Functions
from localstack.gateway.net import Net
from localstack.gateway.realtime.server import Realtime
from localstack.gateway.rest import PREFIX, Rest
from localstack.gateway.storage.server import Storage
from localstack.gateway.users import Users

LARGEST_BODY = 64 * 2**20  #: bytes that Auth reads at most; REST and Storage stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    url: str  #: the gateway's own, as clients see it
    postgrest: str
    admin_dsn: str = field(repr=False)  #: superuser: Auth's tables, logical replication, cron's and net's
    authenticator_dsn: str = field(repr=False)  #: becomes the roles that Realtime and Storage check rows as
    dsn_of: Callable[[str], str | None] = field(repr=False)  #: for the roles that cron's jobs may run as
    storage: Path  #: where Storage keeps bytes
    functions: Path  #: a project's supabase/functions
    function_secrets: Path  #: a file of NAME=value
    logs: Path


def build(credentials: Credentials, upstreams: Upstreams) -> web.Application:
    access = Access(credentials, upstreams.url)
    rest = Rest(access, upstreams.postgrest)
    realtime = Realtime(access, upstreams.admin_dsn, upstreams.authenticator_dsn)
    cron = Cron(access, upstreams.admin_dsn, upstreams.dsn_of)
    storage = Storage(credentials, access, upstreams.admin_dsn, upstreams.authenticator_dsn, upstreams.storage)
    functions = Functions(
        access,
        folder=upstreams.functions,
        secrets=upstreams.function_secrets,
        defaults=_default_secrets(credentials, upstreams),
        logs=upstreams.logs,
    )
    app = web.Application(middlewares=[json_errors], client_max_size=LARGEST_BODY)
    app.on_response_prepare.append(add_cors)
    app.cleanup_ctx.append(rest.lifespan)
    app.cleanup_ctx.append(realtime.lifespan)
    app.cleanup_ctx.append(cron.lifespan)
    app.cleanup_ctx.append(functions.lifespan)
    app.cleanup_ctx.append(Net(upstreams.admin_dsn).lifespan)
    app.add_routes(cron.routes())
    app.add_routes(storage.routes())
    app.add_routes(realtime.routes())
    app.add_routes(Auth(access, Users(upstreams.admin_dsn)).routes())
    app.router.add_route("*", PREFIX, rest.handle)
    app.router.add_route("*", PREFIX + "/{path:.*}", rest.handle)
    app.router.add_route("*", FUNCTIONS + "/{name}", functions.handle)
    app.router.add_route("*", FUNCTIONS + "/{name}/{path:.*}", functions.handle)
    app.router.add_get("/localstack/health", health)
    return app


def _default_secrets(credentials: Credentials, upstreams: Upstreams) -> dict[str, str]:
    """What every function finds in its environment: https://supabase.com/docs/guides/functions/secrets"""
    return {
        "SUPABASE_URL": upstreams.url,
        "SUPABASE_PUBLISHABLE_KEYS": json.dumps({"default": credentials.publishable_key}),
        "SUPABASE_SECRET_KEYS": json.dumps({"default": credentials.secret_key}),
        "SUPABASE_JWKS": json.dumps(credentials.jwks()),
        "SUPABASE_DB_URL": upstreams.dsn_of("postgres") or "",
    }


async def health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
