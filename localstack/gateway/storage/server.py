"""Storage's routes, and the buckets.

As on a hosted project, storage.buckets has row level security and no policy: only the secret key creates buckets.
"""

from pathlib import Path

from aiohttp import web

from localstack.credentials import Credentials
from localstack.gateway.access import Access
from localstack.gateway.storage.database import Database, Row, every
from localstack.gateway.storage.files import LARGEST_OBJECT, Files
from localstack.gateway.storage.objects import Objects, json_body
from localstack.gateway.storage.problems import invalid, object_key
from localstack.gateway.storage.signing import Signing

PREFIX = "/storage/v1"
_KEY = "{bucket}/{key:.+}"
#: supabase-py requires text for an owner, so the owner of a bucket that the secret key created is ''.
_BUCKETS = """
select id, name, coalesce(owner::text, '') as owner, public, file_size_limit, allowed_mime_types, type::text,
  created_at, updated_at
from storage.buckets order by name
"""
_NEW_BUCKET = """
insert into storage.buckets (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types)
values (%s, %s, %s, %s, %s, %s, %s)
"""


class Storage:
    def __init__(
        self, credentials: Credentials, access: Access, admin_dsn: str, authenticator_dsn: str, folder: Path
    ) -> None:
        database, signing = Database(access, admin_dsn, authenticator_dsn), Signing(credentials)
        self._database = database
        self._files = Files(database, signing, folder)
        self._objects = Objects(database, self._files, signing)

    def routes(self) -> list[web.RouteDef]:
        """The longer paths come first: a bucket called `sign` would not be served, as hosted."""
        objects, files = self._objects, self._files
        routes = [
            web.get("/bucket", self.list_buckets),
            web.post("/bucket", self.create_bucket),
            web.post("/object/list/{bucket}", objects.list_level),
            web.post("/object/move", objects.move),
            web.post(f"/object/upload/sign/{_KEY}", files.sign_upload),
            web.put(f"/object/upload/sign/{_KEY}", files.upload_signed),
            web.post(f"/object/sign/{_KEY}", objects.sign),
            web.get(f"/object/sign/{_KEY}", files.download_signed),
            web.get(f"/object/public/{_KEY}", files.download_public),
            web.get(f"/object/info/{_KEY}", objects.info),
            web.get(f"/object/{_KEY}", files.download),
            web.post(f"/object/{_KEY}", files.upload),
            web.put(f"/object/{_KEY}", files.upload),
            web.delete("/object/{bucket}", objects.remove),
        ]
        return [web.RouteDef(route.method, PREFIX + route.path, route.handler, route.kwargs) for route in routes]

    async def list_buckets(self, request: web.Request) -> web.Response:
        async with self._database.as_caller(request) as connection:
            rows = await every(connection, _BUCKETS)
        return web.json_response([_shown(row) for row in rows])

    async def create_bucket(self, request: web.Request) -> web.Response:
        identity, body = self._database.identity(request), await json_body(request)
        name = object_key(body.get("id") or body.get("name"))
        public, limit = bool(body.get("public")), body.get("file_size_limit")
        if limit is not None and not (isinstance(limit, int) and 0 < limit <= LARGEST_OBJECT):
            raise invalid(f"file_size_limit must be a number of bytes up to {LARGEST_OBJECT}")
        async with self._database.speaking_as(identity) as connection:
            await connection.execute(
                _NEW_BUCKET,
                [name, name, identity.owner, identity.owner_id, public, limit, body.get("allowed_mime_types")],
            )
        return web.json_response({"name": name})


def _shown(row: Row) -> Row:
    return {**row, "created_at": row["created_at"].isoformat(), "updated_at": row["updated_at"].isoformat()}
