"""Storage's routes. The longer ones come first: of a bucket called `sign` none would be served, as hosted."""

from pathlib import Path

from aiohttp import web

from localstack.credentials import Credentials
from localstack.gateway.access import Access
from localstack.gateway.storage.blobs import Blobs
from localstack.gateway.storage.buckets import Buckets
from localstack.gateway.storage.cleaning import Cleaning
from localstack.gateway.storage.database import Database
from localstack.gateway.storage.downloads import Downloads
from localstack.gateway.storage.objects import Objects
from localstack.gateway.storage.signing import Signing
from localstack.gateway.storage.uploads import Uploads

PREFIX = "/storage/v1"
_KEY = "{bucket}/{key:.+}"


class Storage:
    def __init__(
        self, credentials: Credentials, access: Access, admin_dsn: str, authenticator_dsn: str, folder: Path
    ) -> None:
        database, blobs, signing = (
            Database(access, admin_dsn, authenticator_dsn),
            Blobs(folder),
            Signing(credentials),
        )
        cleaning = Cleaning(database, blobs)
        self._buckets = Buckets(database, cleaning)
        self._objects = Objects(database, cleaning, signing)
        self._uploads = Uploads(database, blobs, cleaning, signing)
        self._downloads = Downloads(database, blobs, signing)

    def routes(self) -> list[web.RouteDef]:
        buckets, objects, uploads, downloads = self._buckets, self._objects, self._uploads, self._downloads
        routes = [
            web.get("/bucket", buckets.list_all),
            web.post("/bucket", buckets.create),
            web.get("/bucket/{bucket}", buckets.get),
            web.put("/bucket/{bucket}", buckets.update),
            web.delete("/bucket/{bucket}", buckets.delete),
            web.post("/bucket/{bucket}/empty", buckets.empty),
            web.post("/object/list/{bucket}", objects.list_level),
            web.post("/object/list-v2/{bucket}", objects.list_page),
            web.post("/object/move", objects.move),
            web.post("/object/copy", objects.copy),
            web.post(f"/object/upload/sign/{_KEY}", uploads.sign),
            web.put(f"/object/upload/sign/{_KEY}", uploads.upload_signed),
            web.post("/object/sign/{bucket}", objects.sign_many),
            web.post(f"/object/sign/{_KEY}", objects.sign),
            web.get(f"/object/sign/{_KEY}", downloads.signed),
            web.get(f"/object/public/{_KEY}", downloads.public),
            web.get(f"/object/info/authenticated/{_KEY}", objects.info),
            web.get(f"/object/info/{_KEY}", objects.info),
            web.get(f"/object/authenticated/{_KEY}", downloads.authenticated),
            web.get(f"/object/{_KEY}", downloads.authenticated),
            web.post(f"/object/{_KEY}", uploads.upload),
            web.put(f"/object/{_KEY}", uploads.upload),
            web.delete("/object/{bucket}", objects.remove),
            web.delete(f"/object/{_KEY}", objects.remove_one),
        ]
        return [web.RouteDef(route.method, PREFIX + route.path, route.handler, route.kwargs) for route in routes]
