"""/auth/v1: what the official clients ask of Supabase Auth, for e-mail and password only. Nothing is mailed:
every address counts as confirmed.
"""

import time
import uuid
from typing import Any

from aiohttp import web
from psycopg.errors import InvalidTextRepresentation

from localstack.gateway.access import Access
from localstack.gateway.errors import ApiError, api_error
from localstack.gateway.users import Row, Session, Users

TOKEN_LIFE = 3600  #: seconds, Supabase's default
SHORTEST_PASSWORD = 6


class Auth:
    def __init__(self, access: Access, users: Users) -> None:
        self._access = access
        self._users = users

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/auth/v1/health", self.health),
            web.get("/auth/v1/.well-known/jwks.json", self.jwks),
            web.post("/auth/v1/signup", self.sign_up),
            web.post("/auth/v1/token", self.token),
            web.get("/auth/v1/user", self.user),
            web.put("/auth/v1/user", self.update_user),
            web.post("/auth/v1/logout", self.log_out),
            web.get("/auth/v1/admin/users", self.admin_list),
            web.post("/auth/v1/admin/users", self.admin_create),
            web.get("/auth/v1/admin/users/{id}", self.admin_get),
            web.delete("/auth/v1/admin/users/{id}", self.admin_delete),
        ]

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"name": "localstack", "version": "1", "description": "Local Auth"})

    async def jwks(self, _: web.Request) -> web.Response:
        return web.json_response(self._access.jwks, headers={"Cache-Control": "public, max-age=600"})

    async def sign_up(self, request: web.Request) -> web.Response:
        self._access.caller(request)
        body = await _body(request)
        user = await self._create(body, user_metadata=body.get("data") or {}, app_metadata={})
        return await self._signed_in(user["id"])

    async def token(self, request: web.Request) -> web.Response:
        self._access.caller(request)
        body = await _body(request)
        match request.query.get("grant_type"):
            case "password":
                user = await self._users.with_password(_text(body, "email"), _text(body, "password"))
                if user is None:
                    raise api_error(400, error_code="invalid_credentials", msg="Invalid login credentials")
                return await self._signed_in(user["id"])
            case "refresh_token":
                session = await self._users.refresh(_text(body, "refresh_token"))
                if session is None:
                    raise api_error(
                        400,
                        error_code="refresh_token_not_found",
                        msg="Invalid Refresh Token: Refresh Token Not Found",
                    )
                return web.json_response(self._session_json(session))
            case other:
                raise api_error(400, error_code="validation_failed", msg=f"unsupported grant_type {other!r}")

    async def user(self, request: web.Request) -> web.Response:
        claims = self._access.user_claims(request)
        return web.json_response(_user_json(_found(await self._users.get(claims["sub"]))))

    async def update_user(self, request: web.Request) -> web.Response:
        claims = self._access.user_claims(request)
        body = await _body(request)
        user = await self._users.update(
            claims["sub"],
            password=body.get("password"),
            email=body.get("email"),
            user_metadata=body.get("data") or {},
        )
        return web.json_response(_user_json(_found(user)))

    async def log_out(self, request: web.Request) -> web.Response:
        claims = self._access.user_claims(request)
        await self._users.end_sessions(
            claims["sub"], claims.get("session_id") or str(uuid.UUID(int=0)), request.query.get("scope", "global")
        )
        return web.Response(status=204)

    async def admin_list(self, request: web.Request) -> web.Response:
        self._access.require_admin(request)
        try:
            page, size = int(request.query.get("page") or 1), int(request.query.get("per_page") or 50)
        except ValueError:
            raise api_error(400, error_code="validation_failed", msg="page and per_page are numbers") from None
        users = await self._users.page(size, (page - 1) * size)
        return web.json_response({"users": [_user_json(user) for user in users], "aud": "authenticated"})

    async def admin_create(self, request: web.Request) -> web.Response:
        self._access.require_admin(request)
        body = await _body(request)
        user = await self._create(
            body, user_metadata=body.get("user_metadata") or {}, app_metadata=body.get("app_metadata") or {}
        )
        return web.json_response(_user_json(user))

    async def admin_get(self, request: web.Request) -> web.Response:
        self._access.require_admin(request)
        try:
            return web.json_response(_user_json(_found(await self._users.get(request.match_info["id"]))))
        except InvalidTextRepresentation:
            raise _not_found() from None

    async def admin_delete(self, request: web.Request) -> web.Response:
        self._access.require_admin(request)
        try:
            return web.json_response(_user_json(_found(await self._users.delete(request.match_info["id"]))))
        except InvalidTextRepresentation:
            raise _not_found() from None

    async def _create(self, body: Row, *, user_metadata: Row, app_metadata: Row) -> Row:
        password = body.get("password")
        if password is not None and len(str(password)) < SHORTEST_PASSWORD:
            raise api_error(
                422, error_code="weak_password", msg=f"Password should be at least {SHORTEST_PASSWORD} characters."
            )
        user = await self._users.create(
            _text(body, "email"), password, user_metadata=user_metadata, app_metadata=app_metadata
        )
        if user is None:
            raise api_error(422, error_code="user_already_exists", msg="User already registered")
        return user

    async def _signed_in(self, user_id: uuid.UUID) -> web.Response:
        session = await self._users.open_session(user_id)
        if session is None:
            raise _not_found()
        return web.json_response(self._session_json(session))

    def _session_json(self, session: Session) -> Row:
        now = int(time.time())
        user = session.user
        token = self._access.sign(
            {
                "sub": str(user["id"]),
                "iat": now,
                "exp": now + TOKEN_LIFE,
                "role": user["role"],
                "email": user["email"],
                "phone": "",
                "app_metadata": user["raw_app_meta_data"],
                "user_metadata": user["raw_user_meta_data"],
                "aal": "aal1",
                "amr": [{"method": "password", "timestamp": now}],
                "session_id": str(session.session_id),
                "is_anonymous": False,
            }
        )
        return {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": TOKEN_LIFE,
            "expires_at": now + TOKEN_LIFE,
            "refresh_token": session.refresh_token,
            "user": _user_json(user),
        }


def _user_json(user: Row) -> Row:
    def moment(name: str) -> str | None:
        return user[name].isoformat().replace("+00:00", "Z") if user[name] else None

    return {
        "id": str(user["id"]),
        "aud": user["aud"],
        "role": user["role"],
        "email": user["email"],
        "phone": user["phone"] or "",
        "email_confirmed_at": moment("email_confirmed_at"),
        "confirmed_at": moment("email_confirmed_at"),
        "last_sign_in_at": moment("last_sign_in_at"),
        "app_metadata": user["raw_app_meta_data"],
        "user_metadata": user["raw_user_meta_data"],
        "identities": [],
        "created_at": moment("created_at"),
        "updated_at": moment("updated_at"),
        "is_anonymous": False,
    }


def _found(user: Row | None) -> Row:
    if user is None:
        raise _not_found()
    return user


def _not_found() -> ApiError:
    return api_error(404, error_code="user_not_found", msg="User not found")


async def _body(request: web.Request) -> Row:
    body: Any = await request.json()
    if not isinstance(body, dict):
        raise api_error(400, error_code="bad_json", msg="Could not parse request body as JSON object")
    return body


def _text(body: Row, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise api_error(400, error_code="validation_failed", msg=f"{name} is missing")
    return value
