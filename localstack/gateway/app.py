"""Puts the gateway's parts on one port."""

from dataclasses import dataclass, field

from aiohttp import web

from localstack.credentials import Credentials
from localstack.gateway.access import Access
from localstack.gateway.auth import Auth
from localstack.gateway.errors import add_cors, json_errors
from localstack.gateway.realtime.server import Realtime
from localstack.gateway.rest import PREFIX, Rest
from localstack.gateway.users import Users

LARGEST_BODY = 64 * 2**20  #: bytes that Auth reads at most; REST streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    url: str  #: the gateway's own, as clients see it
    postgrest: str
    admin_dsn: str = field(repr=False)  #: superuser: Auth's tables, logical replication
    authenticator_dsn: str = field(repr=False)  #: becomes the roles that Realtime checks rows as


def build(credentials: Credentials, upstreams: Upstreams) -> web.Application:
    access = Access(credentials, upstreams.url)
    rest = Rest(access, upstreams.postgrest)
    realtime = Realtime(access, upstreams.admin_dsn, upstreams.authenticator_dsn)
    app = web.Application(middlewares=[json_errors], client_max_size=LARGEST_BODY)
    app.on_response_prepare.append(add_cors)
    app.cleanup_ctx.append(rest.lifespan)
    app.cleanup_ctx.append(realtime.lifespan)
    app.add_routes(realtime.routes())
    app.add_routes(Auth(access, Users(upstreams.admin_dsn)).routes())
    app.router.add_route("*", PREFIX, rest.handle)
    app.router.add_route("*", PREFIX + "/{path:.*}", rest.handle)
    app.router.add_get("/localstack/health", health)
    return app


async def health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
