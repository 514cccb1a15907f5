"""Bytes back: to whom policies show the row, to whoever has a signed address, to all from public buckets."""

import asyncio
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from localstack.gateway.storage.blobs import Blobs
from localstack.gateway.storage.database import Database, Row, one
from localstack.gateway.storage.names import object_key
from localstack.gateway.storage.objects import SIGNED, found
from localstack.gateway.storage.problems import no_such_bucket, no_such_key
from localstack.gateway.storage.signing import Signing

PIECE = 256 * 1024  #: bytes


class Downloads:
    def __init__(self, database: Database, blobs: Blobs, signing: Signing) -> None:
        self._database = database
        self._blobs = blobs
        self._signing = signing

    async def authenticated(self, request: web.Request) -> web.StreamResponse:
        bucket, key = request.match_info["bucket"], object_key(request.match_info["key"])
        async with self._database.speaking_as(self._database.identity(request)) as connection:
            row = await found(connection, bucket, key)
        return await self._send(request, row)

    async def public(self, request: web.Request) -> web.StreamResponse:
        bucket, key = request.match_info["bucket"], object_key(request.match_info["key"])
        async with self._database.speaking_as_storage() as connection:
            if not await one(connection, "select 1 from storage.buckets where id = %s and public", bucket):
                raise no_such_bucket()
            row = await found(connection, bucket, key)
        return await self._send(request, row)

    async def signed(self, request: web.Request) -> web.StreamResponse:
        bucket, key = request.match_info["bucket"], object_key(request.match_info["key"])
        self._signing.claims(request.query.get("token"), SIGNED, f"{bucket}/{key}")
        async with self._database.speaking_as_storage() as connection:
            row = await found(connection, bucket, key)
        return await self._send(request, row)

    async def _send(self, request: web.Request, row: Row) -> web.StreamResponse:
        path = self._blobs.path(row["version"] or "")
        if not row["version"] or not await asyncio.to_thread(path.is_file):
            raise no_such_key()
        metadata = row["metadata"] or {}
        headers = {
            "ETag": metadata.get("eTag", ""),
            "Cache-Control": metadata.get("cacheControl", "no-cache"),
            "Content-Type": metadata.get("mimetype", "application/octet-stream"),
            "Accept-Ranges": "bytes",
            "X-Content-Type-Options": "nosniff",
        }
        if (name := request.query.get("download")) is not None:
            headers["Content-Disposition"] = "attachment" + (f"; filename*=UTF-8''{quote(name)}" if name else "")
        if headers["ETag"] and headers["ETag"] in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        size = (await asyncio.to_thread(path.stat)).st_size
        first, after = _range(request, size)
        if first >= after and size:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        response = web.StreamResponse(headers=headers)
        if (first, after) != (0, size):
            response.set_status(206)
            response.headers["Content-Range"] = f"bytes {first}-{after - 1}/{size}"
        response.content_length = after - first
        await response.prepare(request)
        if request.method != "HEAD":
            await _stream(response, path, first, after)
        await response.write_eof()
        return response


def _range(request: web.Request, size: int) -> tuple[int, int]:
    """The bytes that were asked for; all when the header is none that we know, as the standard has it."""
    try:
        asked = request.http_range
    except ValueError:
        return 0, size
    first = asked.start or 0
    if first < 0:
        first = max(0, size + first)
    return first, min(size, asked.stop if asked.stop is not None else size)


async def _stream(response: web.StreamResponse, path: Path, first: int, after: int) -> None:
    file = await asyncio.to_thread(path.open, "rb")
    with file:
        file.seek(first)
        while first < after:
            piece = await asyncio.to_thread(file.read, min(PIECE, after - first))
            first += len(piece)
            await response.write(piece)
