"""The users, their passwords and refresh tokens, in the database's auth schema."""

import asyncio
import base64
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Session:
    user: Row
    session_id: uuid.UUID
    refresh_token: str


class Users:
    """Opens a connection per call: calls are rare, and this survives a restart of Postgres."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def create(
        self, email: str, password: str | None, *, user_metadata: Row, app_metadata: Row
    ) -> Row | None:
        """The new user, confirmed; None if the address is taken."""
        return await self._one(
            """
            insert into auth.users
              (email, encrypted_password, email_confirmed_at, raw_user_meta_data, raw_app_meta_data)
            values (%s, %s, now(), %s, %s)
            on conflict (email) do nothing
            returning *
            """,
            email.lower(),
            await asyncio.to_thread(hash_password, password) if password else None,
            Jsonb(user_metadata),
            Jsonb({"provider": "email", "providers": ["email"], **app_metadata}),
        )

    async def get(self, user_id: str) -> Row | None:
        return await self._one("select * from auth.users where id = %s", user_id)

    async def page(self, limit: int, offset: int) -> list[Row]:
        return await self._all("select * from auth.users order by created_at limit %s offset %s", limit, offset)

    async def delete(self, user_id: str) -> Row | None:
        return await self._one("delete from auth.users where id = %s returning *", user_id)

    async def with_password(self, email: str, password: str) -> Row | None:
        """The user, if the password is right."""
        user = await self._one("select * from auth.users where email = %s", email.lower())
        stored = user["encrypted_password"] if user else None
        right = await asyncio.to_thread(password_matches, password, stored)
        return user if right else None

    async def update(
        self, user_id: str, *, password: str | None, email: str | None, user_metadata: Row
    ) -> Row | None:
        return await self._one(
            """
            update auth.users
            set email = coalesce(%s, email),
                encrypted_password = coalesce(%s, encrypted_password),
                raw_user_meta_data = raw_user_meta_data || %s,
                updated_at = now()
            where id = %s
            returning *
            """,
            email.lower() if email else None,
            await asyncio.to_thread(hash_password, password) if password else None,
            Jsonb(user_metadata),
            user_id,
        )

    async def open_session(self, user_id: uuid.UUID) -> Session | None:
        user = await self._one("update auth.users set last_sign_in_at = now() where id = %s returning *", user_id)
        return await self._session(user, uuid.uuid4()) if user else None

    async def refresh(self, token: str) -> Session | None:
        """Trade a refresh token for a session with a new one; None if it was used or its session ended."""
        used = await self._one(
            """
            update auth.refresh_tokens set revoked = true
            where token_hash = %s and not revoked
            returning user_id, session_id
            """,
            _digest(token),
        )
        if used is None:
            return None
        user = await self.get(used["user_id"])
        return await self._session(user, used["session_id"]) if user else None

    async def end_sessions(self, user_id: str, session_id: str, scope: str) -> None:
        """scope, as in Supabase: global (all of the user's), local (this one) or others."""
        await self._all(
            """
            update auth.refresh_tokens set revoked = true
            where user_id = %s
              and case %s when 'local' then session_id = %s when 'others' then session_id <> %s else true end
            returning 1
            """,
            user_id,
            scope,
            session_id,
            session_id,
        )

    async def _session(self, user: Row, session_id: uuid.UUID) -> Session:
        token = secrets.token_urlsafe(24)
        await self._one(
            "insert into auth.refresh_tokens (token_hash, session_id, user_id) values (%s, %s, %s) returning 1",
            _digest(token),
            session_id,
            user["id"],
        )
        return Session(user, session_id, token)

    async def _all(self, query: Any, *values: object) -> list[Row]:
        async with await psycopg.AsyncConnection.connect(
            self._dsn, row_factory=dict_row, autocommit=True
        ) as connection:
            return await (await connection.execute(query, values)).fetchall()

    async def _one(self, query: str, *values: object) -> Row | None:
        rows = await self._all(query, *values)
        return rows[0] if rows else None


def hash_password(password: str) -> str:
    salt = secrets.token_bytes(16)
    return "$scrypt$" + "$".join(base64.b64encode(part).decode() for part in (salt, _scrypt(password, salt)))


def password_matches(password: str, stored: str | None) -> bool:
    if not stored:
        return False
    salt, digest = (base64.b64decode(part) for part in stored.removeprefix("$scrypt$").split("$"))
    return hmac.compare_digest(digest, _scrypt(password, salt))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**12, r=8, p=1)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
