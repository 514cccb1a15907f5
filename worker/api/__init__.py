"""The worker's HTTP side. So far: is it alive, and can it do its work?"""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

#: What /health answers: ``live`` (the loop turns), ``ready`` (Supabase answers), sessions held and connected.
Health = Callable[[], Mapping[str, Any]]


def make_app(health: Health) -> web.Application:
    """Build the application; ``health`` must have the key ``ready``."""
    app = web.Application()

    async def get_health(_: web.Request) -> web.Response:
        state = health()
        return web.json_response(dict(state), status=200 if state["ready"] else 503)

    app.router.add_get("/health", get_health)
    return app
