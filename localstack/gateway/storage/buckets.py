"""Buckets. As hosted, they have row security and no policy of their own: the secret key alone makes them."""

import re
from typing import Any

from aiohttp import web
from psycopg import errors

from localstack.gateway.storage.cleaning import Cleaning
from localstack.gateway.storage.database import Database, Row, every, one
from localstack.gateway.storage.names import bucket_name
from localstack.gateway.storage.problems import no_such_bucket, problem

LARGEST_OBJECT = 50 * 2**20  #: bytes; what a hosted project starts with
_UNITS = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}
#: supabase-py wants text for an owner, so the owner of a bucket that the secret key made is ''.
_BUCKETS = """
select id, name, coalesce(owner::text, '') as owner, public, file_size_limit, allowed_mime_types, type::text,
  created_at, updated_at
from storage.buckets
"""
_UPDATE = """
update storage.buckets
set public = coalesce(%s, public),
    file_size_limit = case when %s then %s else file_size_limit end,
    allowed_mime_types = case when %s then %s::text[] else allowed_mime_types end,
    updated_at = now()
where id = %s returning id
"""


class Buckets:
    def __init__(self, database: Database, cleaning: Cleaning) -> None:
        self._database = database
        self._cleaning = cleaning

    async def list_all(self, request: web.Request) -> web.Response:
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            rows = await every(connection, _BUCKETS + "order by name")
        return web.json_response([bucket_json(row) for row in rows])

    async def get(self, request: web.Request) -> web.Response:
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            row = await one(connection, _BUCKETS + "where id = %s", request.match_info["bucket"])
        if row is None:
            raise no_such_bucket()
        return web.json_response(bucket_json(row))

    async def create(self, request: web.Request) -> web.Response:
        identity, body = self._database.identity(request), await json_body(request)
        name = bucket_name(body.get("id") or body.get("name"))
        async with self._database.speaking_as(identity) as connection:
            await connection.execute(
                "insert into storage.buckets"
                " (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types)"
                " values (%s, %s, %s, %s, %s, %s, %s)",
                [
                    name,
                    name,
                    identity.owner,
                    identity.owner_id,
                    bool(body.get("public")),
                    size_limit(body.get("file_size_limit")),
                    body.get("allowed_mime_types"),
                ],
            )
        return web.json_response({"name": name})

    async def update(self, request: web.Request) -> web.Response:
        identity, body = self._database.identity(request), await json_body(request)
        async with self._database.speaking_as(identity) as connection:
            row = await one(
                connection,
                _UPDATE,
                body.get("public"),
                "file_size_limit" in body,
                size_limit(body.get("file_size_limit")),
                "allowed_mime_types" in body,
                body.get("allowed_mime_types"),
                request.match_info["bucket"],
            )
        if row is None:
            raise no_such_bucket()
        return web.json_response({"message": "Successfully updated"})

    async def empty(self, request: web.Request) -> web.Response:
        bucket = request.match_info["bucket"]
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            if not await one(connection, "select 1 from storage.buckets where id = %s", bucket):
                raise no_such_bucket()
            gone = await every(
                connection, "delete from storage.objects where bucket_id = %s returning version", bucket
            )
        await self._cleaning.forget(gone)
        return web.json_response({"message": "Successfully emptied"})

    async def delete(self, request: web.Request) -> web.Response:
        bucket = request.match_info["bucket"]
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            try:
                row = await one(connection, "delete from storage.buckets where id = %s returning id", bucket)
            except errors.ForeignKeyViolation as error:
                raise problem(409, "ResourceNotEmpty", "The bucket you tried to delete is not empty") from error
        if row is None:
            raise no_such_bucket()
        return web.json_response({"message": "Successfully deleted"})


def bucket_json(row: Row) -> Row:
    return {**row, "created_at": row["created_at"].isoformat(), "updated_at": row["updated_at"].isoformat()}


def size_limit(value: object) -> int | None:
    """Bytes of 1048576, '1048576' or '1MB'."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,15})\s*([KMG]?B)?", str(value).upper())
    if not found:
        raise problem(400, "InvalidRequest", "Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B")
    size = int(found[1]) * _UNITS[found[2] or ""]
    if size > LARGEST_OBJECT:
        raise problem(413, "EntityTooLarge", "The object exceeded the maximum allowed size", "Payload too large")
    return size


async def json_body(request: web.Request) -> Row:
    body: Any = await request.json()
    if not isinstance(body, dict):
        raise problem(400, "InvalidRequest", "body must be object")
    return body
