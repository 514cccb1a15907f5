"""Which networks and browser origins may call the API."""

import ipaddress
from collections.abc import Sequence

from aiohttp import web

from worker.api.http.problem import Problem

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METHODS = "GET, POST, PATCH"
_HEADERS = "Authorization, Content-Type, Idempotency-Key, X-API-Key, X-Org-Id, X-Request-Id"
_SHOWN = "Location, Retry-After, X-Request-Id"


def may_enter(request: web.Request, allowed: Sequence[Network], trusted: Sequence[Network]) -> None:
    """Refuse a caller outside the allowed networks; none given: all may. Raises Problem 403."""
    if not allowed:
        return
    address = client_address(request.remote, request.headers.getall("X-Forwarded-For", []), trusted)
    if address is None or not any(address in network for network in allowed):
        raise Problem(
            403, "address-not-allowed", "Calls from this address are not taken.", "The operator sets ALLOWED_IPS."
        )


def client_address(remote: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> Address | None:
    """Tell the caller's address: the last one in X-Forwarded-For that is no trusted proxy.

    Each proxy appends the address that called it, so only what trusted proxies appended is believed.
    """
    address = _address(remote or "")
    for text in reversed([part for line in forwarded for part in line.split(",")]):
        if address is None or not any(address in network for network in trusted):
            break
        address = _address(text.strip())
    return address


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def with_cors(request: web.Request, response: web.StreamResponse, origins: Sequence[str]) -> web.StreamResponse:
    """Let a browser's page of an allowed origin read the answer."""
    if origins:
        response.headers["Vary"] = "Origin"
    origin = request.headers.get("Origin")
    if origin in origins and origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _SHOWN
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            response.headers["Access-Control-Allow-Headers"] = _HEADERS
            response.headers["Access-Control-Max-Age"] = "600"
    return response
