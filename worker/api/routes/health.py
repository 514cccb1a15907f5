"""Is the worker alive, and can it do its work? Open to everyone who reaches the port: no secrets."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

#: What /health answers: ``live`` (the loop turns), ``ready`` (Supabase answers), sessions held and connected.
Health = Callable[[], Mapping[str, Any]]


def health_handler(health: Health) -> Callable[[web.Request], Any]:
    """Answer 200 when ready, 503 when not; ``health`` must have the key ``ready``."""

    async def get_health(_: web.Request) -> web.Response:
        state = health()
        return web.json_response(dict(state), status=200 if state["ready"] else 503)

    return get_health
