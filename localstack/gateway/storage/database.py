"""Statements on storage.buckets and storage.objects, as the caller or as Storage itself."""

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import jwt
import psycopg
from aiohttp import web
from psycopg import sql
from psycopg.rows import dict_row

from localstack.gateway.access import Access
from localstack.gateway.storage.problems import denied, in_storages_words, no_such_key

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the policies see."""

    role: str
    claims: Mapping[str, Any]

    @property
    def owner_id(self) -> str | None:
        return self.claims.get("sub")

    @property
    def owner(self) -> uuid.UUID | None:
        """For the old column, which takes only a UUID."""
        try:
            return uuid.UUID(self.owner_id or "")
        except ValueError:
            return None


class Database:
    """Opens a connection for each call: files are rarer than rows."""

    def __init__(self, access: Access, admin_dsn: str, authenticator_dsn: str) -> None:
        self._access = access
        self._admin_dsn = admin_dsn
        self._authenticator_dsn = authenticator_dsn

    def identity(self, request: web.Request) -> Identity:
        """Who calls, by key and token. Raises ApiError."""
        caller = self._access.caller(request)
        if caller.token is None:
            return Identity(caller.key_role, {"role": caller.key_role})
        try:
            claims = self._access.claims(caller.token)
        except jwt.InvalidTokenError as error:
            raise denied(str(error)) from error
        return Identity(claims["role"], claims)

    def as_caller(self, request: web.Request) -> AbstractAsyncContextManager[Connection]:
        """One transaction in the role of whoever calls. Raises ApiError."""
        return self.speaking_as(self.identity(request))

    @asynccontextmanager
    async def speaking_as(self, identity: Identity) -> AsyncIterator[Connection]:
        """One transaction in this role and with its claims, as PostgREST opens it."""
        with in_storages_words():
            async with await _connect(self._authenticator_dsn) as connection:
                await connection.execute(
                    "select set_config('request.jwt.claims', %s, true),"
                    " set_config('request.jwt.claim.sub', %s, true),"
                    " set_config('request.jwt.claim.role', %s, true),"
                    " set_config('storage.allow_delete_query', 'true', true)",
                    [json.dumps(identity.claims), identity.owner_id or "", identity.role],
                )
                await connection.execute(sql.SQL("set local role {}").format(sql.Identifier(identity.role)))
                yield connection

    @asynccontextmanager
    async def speaking_as_storage(self) -> AsyncIterator[Connection]:
        """Past row level security: for bucket limits, public and signed URLs, and replaced bytes."""
        with in_storages_words():
            async with await _connect(self._admin_dsn) as connection:
                yield connection


async def _connect(dsn: str) -> Connection:
    return await psycopg.AsyncConnection[Row].connect(dsn, row_factory=dict_row)


async def one(connection: Connection, query: str, *values: object) -> Row | None:
    return await (await connection.execute(query.encode(), values or None)).fetchone()


async def every(connection: Connection, query: str, *values: object) -> list[Row]:
    return await (await connection.execute(query.encode(), values or None)).fetchall()


async def found(connection: Connection, bucket: str, key: str) -> Row:
    """The object's row, if the connection's role sees it. Raises ApiError (404)."""
    row = await one(connection, "select * from storage.objects where bucket_id = %s and name = %s", bucket, key)
    if row is None:
        raise no_such_key()
    return row
