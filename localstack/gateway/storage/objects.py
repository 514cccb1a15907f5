"""List, move, delete and sign objects. Only the policies on storage.objects decide what the caller may do."""

from typing import Any

from aiohttp import web
from psycopg import sql

from localstack.gateway.storage.database import Database, Row, every, found, one
from localstack.gateway.storage.files import Files
from localstack.gateway.storage.problems import invalid, no_such_key, object_key
from localstack.gateway.storage.signing import DOWNLOAD, Signing

_COLUMNS = "id, updated_at, created_at, last_accessed_at, metadata"
_SORTED_BY = ("name", "updated_at", "created_at", "last_accessed_at")

#: One level of a bucket below a prefix: its objects, and its folders, which are only the beginnings of names.
_LEVEL = f"""
with below as (
  select substr(o.name, length(%(prefix)s) + 1) as rest, o.*
  from storage.objects o where o.bucket_id = %(bucket)s and starts_with(o.name, %(prefix)s)
)
select rest as name, {_COLUMNS} from below
where position('/' in rest) = 0 and starts_with(lower(rest), lower(%(search)s))
union all
select distinct split_part(rest, '/', 1),
  null::uuid, null::timestamptz, null::timestamptz, null::timestamptz, null::jsonb
from below where position('/' in rest) > 0 and starts_with(lower(rest), lower(%(search)s))
"""  # noqa: S608
_DELETE = f"""
delete from storage.objects where bucket_id = %s and name = any(%s) returning name, {_COLUMNS}, version
"""  # noqa: S608
_MOVE = """
update storage.objects set bucket_id = %s, name = %s where bucket_id = %s and name = %s returning id
"""


class Objects:
    def __init__(self, database: Database, files: Files, signing: Signing) -> None:
        self._database = database
        self._files = files
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
        async with self._database.as_caller(request) as connection:
            rows = await (await connection.execute(query, values)).fetchall()
        return web.json_response([_listed(row) for row in rows])

    async def info(self, request: web.Request) -> web.Response:
        """What supabase-js asks to learn whether an object exists."""
        bucket, key = request.match_info["bucket"], object_key(request.match_info["key"])
        async with self._database.as_caller(request) as connection:
            row = await found(connection, bucket, key)
        size, kind = row["metadata"]["size"], row["metadata"]["mimetype"]
        return web.json_response({**_listed(row), "bucket_id": bucket, "size": size, "content_type": kind})

    async def remove(self, request: web.Request) -> web.Response:
        names = (await json_body(request)).get("prefixes")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise invalid("body/prefixes must be an array of names")
        async with self._database.as_caller(request) as connection:
            gone = await every(connection, _DELETE, request.match_info["bucket"], names)
        for row in gone:
            self._files.forget(row["version"])
        return web.json_response([_listed(row) for row in gone])

    async def move(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        bucket = str(body.get("bucketId"))
        into = str(body.get("destinationBucket") or bucket)
        source, target = object_key(body.get("sourceKey")), object_key(body.get("destinationKey"))
        async with self._database.as_caller(request) as connection:
            row = await one(connection, _MOVE, into, target, bucket, source)
        if row is None:
            raise no_such_key()
        key = f"{into}/{target}"
        return web.json_response({"message": "Successfully moved", "Id": str(row["id"]), "Key": key})

    async def sign(self, request: web.Request) -> web.Response:
        bucket, key = request.match_info["bucket"], object_key(request.match_info["key"])
        life = _number((await json_body(request)).get("expiresIn"), 0)  # seconds; supabase-py sends text
        if life < 1:
            raise invalid("body/expiresIn must be >= 1")
        async with self._database.as_caller(request) as connection:
            await found(connection, bucket, key)
        url = f"{bucket}/{key}"
        return web.json_response(
            {"signedURL": f"/object/sign/{url}?token={self._signing.sign(DOWNLOAD, url, life)}"}
        )


async def json_body(request: web.Request) -> Row:
    """The request's JSON object. Raises ApiError (400) if it is something else."""
    body: Any = await request.json()
    if not isinstance(body, dict):
        raise invalid("body must be object")
    return body


def _number(value: object, default: int) -> int:
    try:
        return default if value is None else max(0, int(str(value)))
    except ValueError as error:
        raise invalid(f"{value!r} is not a number") from error


def _listed(row: Row) -> Row:
    moments = ("updated_at", "created_at", "last_accessed_at")
    shown = {name: row[name] and row[name].isoformat() for name in moments}
    return {"name": row["name"], "id": row["id"] and str(row["id"]), **shown, "metadata": row["metadata"]}
