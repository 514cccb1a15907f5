"""Statements on storage.buckets and storage.objects, as the caller or as Storage itself."""

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import jwt
import psycopg
from aiohttp import web
from psycopg import sql
from psycopg.rows import dict_row

from localstack.gateway.access import Access
from localstack.gateway.storage.problems import denied, told_as_storage_does

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom policies see."""

    role: str
    claims: Mapping[str, Any]

    @property
    def owner_id(self) -> str | None:
        return self.claims.get("sub")

    @property
    def owner(self) -> uuid.UUID | None:
        """For the old column, which takes nothing but a UUID."""
        try:
            return uuid.UUID(self.owner_id or "")
        except ValueError:
            return None


class Database:
    """Opens a connection per call, as Auth does: files are rarer than rows."""

    def __init__(self, access: Access, admin_dsn: str, authenticator_dsn: str) -> None:
        self._access = access
        self._admin_dsn = admin_dsn
        self._authenticator_dsn = authenticator_dsn

    def identity(self, request: web.Request) -> Identity:
        """Who calls, by key and token. Raises an answer."""
        caller = self._access.caller(request)
        if caller.token is None:
            return Identity(caller.key_role, {"role": caller.key_role})
        try:
            claims = self._access.claims(caller.token)
        except jwt.InvalidTokenError as error:
            raise denied(str(error)) from error
        return Identity(claims["role"], claims)

    @asynccontextmanager
    async def speaking_as(self, identity: Identity) -> AsyncIterator[Connection]:
        """One transaction in the caller's role and with its claims, as PostgREST would."""
        with told_as_storage_does():
            async with await psycopg.AsyncConnection[Row].connect(
                self._authenticator_dsn, row_factory=dict_row
            ) as connection:
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
        """Past row security: for bucket limits, public and signed addresses, and the care of bytes."""
        with told_as_storage_does():
            async with await psycopg.AsyncConnection[Row].connect(
                self._admin_dsn, row_factory=dict_row
            ) as connection:
                yield connection


async def one(connection: Connection, query: str, *values: object) -> Row | None:
    return await (await connection.execute(query.encode(), values or None)).fetchone()


async def every(connection: Connection, query: str, *values: object) -> list[Row]:
    return await (await connection.execute(query.encode(), values or None)).fetchall()
