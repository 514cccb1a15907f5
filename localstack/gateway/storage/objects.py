"""What the caller may see and do of objects, by policies on storage.objects alone."""

import base64
import binascii
from typing import Any

from aiohttp import web
from psycopg import sql

from localstack.gateway.storage.buckets import json_body
from localstack.gateway.storage.cleaning import Cleaning
from localstack.gateway.storage.database import Connection, Database, Row, every, one
from localstack.gateway.storage.names import bucket_name, object_key
from localstack.gateway.storage.problems import invalid, no_such_key
from localstack.gateway.storage.signing import Signing

SIGNED = "download"  #: the purpose of a token that opens one object
_LONGEST_LIST = 1000
_SORTED_BY = ("name", "updated_at", "created_at", "last_accessed_at")
_DELETE = """
delete from storage.objects where bucket_id = %s and name = any(%s)
returning name, id, updated_at, created_at, last_accessed_at, metadata, version
"""

#: One level of a bucket below a prefix: its objects, and its folders, which are but other names' beginnings.
_LEVEL = """
with below as (
  select substr(o.name, length(%(prefix)s) + 1) as rest, o.*
  from storage.objects o where o.bucket_id = %(bucket)s and starts_with(o.name, %(prefix)s)
)
select rest as name, id, updated_at, created_at, last_accessed_at, metadata from below
where position('/' in rest) = 0 and starts_with(lower(rest), lower(%(search)s))
union all
select distinct split_part(rest, '/', 1),
  null::uuid, null::timestamptz, null::timestamptz, null::timestamptz, null::jsonb
from below where position('/' in rest) > 0 and starts_with(lower(rest), lower(%(search)s))
"""
_ALL = """
select substr(o.name, length(%(prefix)s) + 1) as name, id, updated_at, created_at, last_accessed_at, metadata
from storage.objects o where o.bucket_id = %(bucket)s and starts_with(o.name, %(prefix)s)
"""


class Objects:
    def __init__(self, database: Database, cleaning: Cleaning, signing: Signing) -> None:
        self._database = database
        self._cleaning = cleaning
        self._signing = signing

    async def list_level(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        prefix = str(body.get("prefix") or "").lstrip("/")
        values = {
            "bucket": request.match_info["bucket"],
            "prefix": prefix if not prefix or prefix.endswith("/") else f"{prefix}/",
            "search": str(body.get("search") or ""),
            "limit": _number(body.get("limit"), 100),
            "offset": _number(body.get("offset"), 0),
        }
        by = body.get("sortBy") or {}
        column, order = by.get("column") or "name", by.get("order") or "asc"
        if column not in _SORTED_BY or order not in ("asc", "desc"):
            raise invalid("sortBy: column is one of " + ", ".join(_SORTED_BY) + ", order asc or desc")
        query = sql.SQL(
            "select * from ({level}) l order by {column} {order} nulls first, name"
            " limit %(limit)s offset %(offset)s"
        ).format(level=sql.SQL(_LEVEL), column=sql.Identifier(column), order=sql.SQL(order))
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            rows = await (await connection.execute(query, values)).fetchall()
        return web.json_response([_listed(row) for row in rows])

    async def list_page(self, request: web.Request) -> web.Response:
        """list-v2: by name, with a cursor. Names and keys are whole."""
        body = await json_body(request)
        limit = _number(body.get("limit"), _LONGEST_LIST) or 1
        prefix = str(body.get("prefix") or "").lstrip("/")
        split = bool(body.get("with_delimiter"))
        values = {
            "bucket": request.match_info["bucket"],
            "prefix": prefix,
            "search": "",
            "after": _after(body.get("cursor")),
            "limit": limit + 1,
        }
        query = sql.SQL("select * from ({rows}) l where name > %(after)s order by name limit %(limit)s").format(
            rows=sql.SQL(_LEVEL if split else _ALL)
        )
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            rows = await (await connection.execute(query, values)).fetchall()
        more, rows = len(rows) > limit, rows[:limit]
        answer: dict[str, Any] = {"hasNext": more, "folders": [], "objects": []}
        for row in rows:
            key = prefix + row["name"]
            if row["id"]:
                answer["objects"].append({**_listed(row), "name": key, "key": key})
            else:
                answer["folders"].append({"name": f"{key}/", "key": key})
        if more:
            answer["nextCursor"] = base64.urlsafe_b64encode(rows[-1]["name"].encode()).decode()
        return web.json_response(answer)

    async def info(self, request: web.Request) -> web.Response:
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            row = await found(connection, request.match_info["bucket"], object_key(request.match_info["key"]))
        return web.json_response(_info(row))

    async def remove(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        names = body.get("prefixes")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise invalid("body/prefixes must be an array of names")
        return web.json_response([_listed(row) for row in await self._delete(request, names)])

    async def remove_one(self, request: web.Request) -> web.Response:
        if not await self._delete(request, [object_key(request.match_info["key"])]):
            raise no_such_key()
        return web.json_response({"message": "Successfully deleted"})

    async def _delete(self, request: web.Request, names: list[str]) -> list[Row]:
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            gone = await every(
                connection,
                _DELETE,
                request.match_info["bucket"],
                names,
            )
        await self._cleaning.forget(gone)
        return gone

    async def move(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        bucket, source, into, target = _from_and_to(body)
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            row = await one(
                connection,
                "update storage.objects set bucket_id = %s, name = %s"
                " where bucket_id = %s and name = %s returning id",
                *(into, target, bucket, source),
            )
        if row is None:
            raise no_such_key()
        return web.json_response(
            {"message": "Successfully moved", "Id": str(row["id"]), "Key": f"{into}/{target}"}
        )

    async def copy(self, request: web.Request) -> web.Response:
        """A row of the caller's own that tells of the same bytes."""
        body, identity = await json_body(request), self._database.identity(request)
        bucket, source, into, target = _from_and_to(body)
        async with self._database.speaking_as(identity) as connection:
            await found(connection, bucket, source)
            made = await one(
                connection,
                "insert into storage.objects"
                " (bucket_id, name, owner, owner_id, version, metadata, user_metadata)"
                " select %s, %s, %s, %s, version, metadata, user_metadata"
                " from storage.objects where bucket_id = %s and name = %s returning id",
                *(into, target, identity.owner, identity.owner_id, bucket, source),
            )
        return web.json_response({"Id": str(made["id"]) if made else None, "Key": f"{into}/{target}"})

    async def sign(self, request: web.Request) -> web.Response:
        bucket, key = request.match_info["bucket"], object_key(request.match_info["key"])
        life = _life(await json_body(request))
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            await found(connection, bucket, key)
        return web.json_response({"signedURL": self._signed(bucket, key, life)})

    async def sign_many(self, request: web.Request) -> web.Response:
        bucket, body = request.match_info["bucket"], await json_body(request)
        life, paths = _life(body), body.get("paths")
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise invalid("body/paths must be an array of names")
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            rows = await every(
                connection,
                "select name from storage.objects where bucket_id = %s and name = any(%s)",
                bucket,
                paths,
            )
        seen = {row["name"] for row in rows}
        missing = "Either the object does not exist or you do not have access to it"
        return web.json_response(
            [
                {
                    "error": None if path in seen else missing,
                    "path": path,
                    "signedURL": self._signed(bucket, path, life) if path in seen else None,
                }
                for path in paths
            ]
        )

    def _signed(self, bucket: str, key: str, life: int) -> str:
        url = f"{bucket}/{key}"
        return f"/object/sign/{url}?token={self._signing.sign(SIGNED, url, life)}"


async def found(connection: Connection, bucket: str, key: str) -> Row:
    """The object's row, if whoever speaks sees it. Raises an answer."""
    row = await one(connection, "select * from storage.objects where bucket_id = %s and name = %s", bucket, key)
    if row is None:
        raise no_such_key()
    return row


def _from_and_to(body: Row) -> tuple[str, str, str, str]:
    bucket = bucket_name(body.get("bucketId"))
    into = bucket_name(body.get("destinationBucket") or bucket)
    return bucket, object_key(body.get("sourceKey")), into, object_key(body.get("destinationKey"))


def _life(body: Row) -> int:
    """supabase-py sends the number as text."""
    life = _number(body.get("expiresIn"), 0)
    if life < 1:
        raise invalid("body/expiresIn must be >= 1")
    return life


def _number(value: object, default: int) -> int:
    try:
        return default if value is None else max(0, int(str(value)))
    except ValueError as error:
        raise invalid(f"{value!r} isn't a number") from error


def _after(cursor: object) -> str:
    try:
        return base64.urlsafe_b64decode(str(cursor)).decode() if cursor else ""
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid("cursor isn't one of ours") from error


def _moment(row: Row, name: str) -> str | None:
    return row[name].isoformat() if row[name] else None


def _listed(row: Row) -> Row:
    return {
        "name": row["name"],
        "id": str(row["id"]) if row["id"] else None,
        "updated_at": _moment(row, "updated_at"),
        "created_at": _moment(row, "created_at"),
        "last_accessed_at": _moment(row, "last_accessed_at"),
        "metadata": row["metadata"],
    }


def _info(row: Row) -> Row:
    metadata = row["metadata"] or {}
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "version": row["version"],
        "bucket_id": row["bucket_id"],
        "size": metadata.get("size"),
        "content_type": metadata.get("mimetype"),
        "cache_control": metadata.get("cacheControl"),
        "etag": metadata.get("eTag"),
        "metadata": row["user_metadata"],
        "last_modified": _moment(row, "updated_at"),
        "created_at": _moment(row, "created_at"),
    }
