"""Finds the caller: every request needs an API key; a bearer token identifies the user.

As on hosted projects a request needs an `apikey` (header, or query parameter for a WebSocket). A bearer token
that is a user's JWT then decides the role; a bearer that is an `sb_…` key, or none, means the key's own role.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web

from localstack.credentials import AUDIENCE, Credentials
from localstack.gateway.errors import api_error


@dataclass(frozen=True, slots=True)
class Caller:
    key_role: str  #: anon or service_role, by the API key
    token: str | None = field(repr=False)  #: a JWT from the Authorization header; not verified here

    @property
    def is_admin(self) -> bool:
        """Whether the secret key came alone. With a user's token, the user is the caller."""
        return self.key_role == "service_role" and self.token is None


class Access:
    """Checks keys and tokens of one stack."""

    def __init__(self, credentials: Credentials, url: str) -> None:
        self._credentials = credentials
        self.issuer = f"{url}/auth/v1"
        self.jwks = credentials.jwks()
        self._public_key = jwt.PyJWK(self.jwks["keys"][0]).key
        self._role_tokens = {
            role: credentials.sign({"iss": self.issuer, "role": role}) for role in ("anon", "service_role")
        }

    def caller(self, request: web.Request) -> Caller:
        """Raises ApiError (401) if the key is missing or not this stack's."""
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        bearer = bearer.strip() if scheme.lower() == "bearer" else ""
        key = request.headers.get("apikey") or request.query.get("apikey") or ""
        if not key and bearer.startswith("sb_"):
            key = bearer
        if not key:
            raise api_error(401, message="No API key found in request", hint="Send it as the apikey header.")
        role = self._credentials.role_of_key(key)
        if bearer.startswith("sb_"):
            role = role and self._credentials.role_of_key(bearer)
            bearer = ""
        if role is None:
            raise api_error(401, message="Invalid API key", hint="Double check your Supabase API key.")
        return Caller(role, bearer or None)

    def token_for_postgrest(self, caller: Caller) -> str:
        """A user's JWT goes through as it is: PostgREST verifies it. A key becomes its role's JWT."""
        return caller.token or self._role_tokens[caller.key_role]

    def key_of(self, caller: Caller) -> str:
        """The API key that the caller sent."""
        return (
            self._credentials.secret_key
            if caller.key_role == "service_role"
            else self._credentials.publishable_key
        )

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a user's JWT. Raises jwt.InvalidTokenError."""
        claims: dict[str, Any] = jwt.decode(
            token,
            self._public_key,
            algorithms=["ES256"],
            audience=AUDIENCE,
            issuer=self.issuer,
            options={"require": ["exp", "sub", "role"]},
        )
        return claims

    def claims_of_key(self, key: str) -> dict[str, Any] | None:
        """The claims that Realtime checks rows with if a client sends its API key as its token."""
        role = self._credentials.role_of_key(key)
        return {"role": role} if role else None

    def user_claims(self, request: web.Request) -> dict[str, Any]:
        """The signed-in user's claims. Raises 401."""
        caller = self.caller(request)
        if caller.token is None:
            raise api_error(401, error_code="no_authorization", msg="This endpoint requires a valid Bearer token")
        try:
            return self.claims(caller.token)
        except jwt.InvalidTokenError as error:
            raise api_error(403, error_code="bad_jwt", msg=f"invalid JWT: {error}") from error

    def require_admin(self, request: web.Request) -> None:
        """Raises 401 or 403 unless the caller sent the secret key."""
        caller = self.caller(request)
        if not caller.is_admin:
            raise api_error(403, error_code="not_admin", msg="User not allowed")

    def sign(self, claims: Mapping[str, Any]) -> str:
        return self._credentials.sign({"iss": self.issuer, "aud": AUDIENCE, **claims})
