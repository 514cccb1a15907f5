"""Errors as JSON, with CORS headers on every answer, so that a browser can read them."""

import json
import logging
from collections.abc import Awaitable, Callable

import psycopg
from aiohttp import web

log = logging.getLogger(__name__)

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "*, Authorization, apikey, content-type, prefer, x-client-info",
    "Access-Control-Expose-Headers": "*",
    "Access-Control-Max-Age": "3600",
}

FUNCTIONS = "/functions/v1"
ANSWERED_BY_FUNCTION = (
    "answered-by-function"  #: set on a request whose answer has CORS headers of its own, or none
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """An error to answer the request with."""

    def __init__(self, status: int, body: dict[str, object]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def api_error(status: int, **body: object) -> ApiError:
    """An error to raise. Auth's bodies have msg and error_code; those of the key check have message and hint."""
    return ApiError(status, body if "message" in body else {"code": status, **body})


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method == "OPTIONS" and not request.path.startswith(FUNCTIONS):
        return web.Response(status=204)
    try:
        return await handler(request)
    except ApiError as error:
        return web.json_response(error.body, status=error.status)
    except web.HTTPException as error:
        message = "no Route matched with those values" if error.status == 404 else error.reason
        return web.json_response({"message": message}, status=error.status)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return web.json_response({"code": 400, "error_code": "bad_json", "msg": "Not JSON"}, status=400)
    except psycopg.OperationalError as error:
        log.warning("database: %s", type(error).__name__)
        return web.json_response({"message": "The database is away; try again."}, status=503)


async def add_cors(request: web.Request, response: web.StreamResponse) -> None:
    if request.get(ANSWERED_BY_FUNCTION):
        return
    for name, value in CORS.items():
        response.headers.setdefault(name, value)
