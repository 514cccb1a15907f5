"""Uploads and downloads: bytes on disk under names that no client chose, and their rows in storage.objects."""

import asyncio
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from uuid import UUID, uuid4

from aiohttp import BodyPartReader, MultipartReader, web
from psycopg.types.json import Jsonb

from localstack.gateway.storage.database import Connection, Database, Identity, Row, found, one
from localstack.gateway.storage.problems import (
    invalid,
    no_such_bucket,
    no_such_key,
    object_key,
    problem,
    too_large,
)
from localstack.gateway.storage.signing import DOWNLOAD, UPLOAD, UPLOAD_LIFE, Signing

LARGEST_OBJECT = 50 * 2**20  #: bytes; the default of a hosted project
PIECE = 256 * 1024  #: bytes
_LIMITS = "select file_size_limit, allowed_mime_types from storage.buckets where id = %s"
_PRESENT = "select id, version from storage.objects where bucket_id = %s and name = %s"
#: Without `returning`: an upload needs the right to insert, not to read.
_INSERT = """
insert into storage.objects (id, bucket_id, name, owner, owner_id, version, metadata)
values (%s, %s, %s, %s, %s, %s, %s)
"""
_OR_REPLACE = """
on conflict (bucket_id, name) do update
set owner = excluded.owner, owner_id = excluded.owner_id, version = excluded.version, metadata = excluded.metadata
"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file that is being received."""

    pieces: AsyncIterable[bytes]
    content_type: str


class Files:
    def __init__(self, database: Database, signing: Signing, folder: Path) -> None:
        self._database = database
        self._signing = signing
        self._folder = folder
        #: Rows are written one after the other, so that each upload deletes the bytes that it replaces.
        self._writing = asyncio.Lock()

    async def upload(self, request: web.Request) -> web.Response:
        """Upload if the policies allow it to the caller."""
        upsert = _wants_upsert(request) or request.method == "PUT"
        return await self._receive(request, self._database.identity(request), upsert=upsert)

    async def sign_upload(self, request: web.Request) -> web.Response:
        """Sign a URL for one upload by whoever has it. Refused at once if the caller could not upload."""
        identity, upsert, place = self._database.identity(request), _wants_upsert(request), _place(request)
        speaking = self._database.speaking_as(identity)
        async with speaking as connection, connection.transaction(force_rollback=True):
            await _write(connection, identity, place, uuid4(), {}, upsert=upsert)
        url = "/".join(place)
        token = self._signing.sign(UPLOAD, url, UPLOAD_LIFE, sub=identity.owner_id, upsert=upsert)
        return web.json_response({"url": f"/object/upload/sign/{url}?token={token}", "token": token})

    async def upload_signed(self, request: web.Request) -> web.Response:
        """Upload by whoever has the URL; the object belongs to whoever signed it."""
        claims = self._signing.claims(request.query.get("token"), UPLOAD, "/".join(_place(request)))
        identity = Identity("service_role", {"role": "service_role", "sub": claims["sub"]})
        return await self._receive(request, identity, upsert=claims["upsert"])

    async def download(self, request: web.Request) -> web.StreamResponse:
        """Download by a caller to whom the policies show the row."""
        async with self._database.as_caller(request) as connection:
            row = await found(connection, *_place(request))
        return await self._send(request, row)

    async def download_public(self, request: web.Request) -> web.StreamResponse:
        """Download by anybody, from a public bucket."""
        bucket, key = _place(request)
        async with self._database.speaking_as_storage() as connection:
            if not await one(connection, "select 1 from storage.buckets where id = %s and public", bucket):
                raise no_such_bucket()
            row = await found(connection, bucket, key)
        return await self._send(request, row)

    async def download_signed(self, request: web.Request) -> web.StreamResponse:
        """Download by whoever has a signed URL."""
        self._signing.claims(request.query.get("token"), DOWNLOAD, "/".join(_place(request)))
        async with self._database.speaking_as_storage() as connection:
            row = await found(connection, *_place(request))
        return await self._send(request, row)

    def forget(self, version: str | None) -> None:
        """Delete the bytes of a row that was deleted or replaced."""
        if version:
            (self._folder / version).unlink(missing_ok=True)

    async def _receive(self, request: web.Request, identity: Identity, *, upsert: bool) -> web.Response:
        bucket, key = place = _place(request)
        async with self._database.speaking_as_storage() as connection:
            limits = await one(connection, _LIMITS, bucket)
        if limits is None:
            raise no_such_bucket()
        incoming = await _incoming(request)
        _check_type(incoming.content_type, limits["allowed_mime_types"])
        async with (
            self._draft(incoming.pieces, limits["file_size_limit"] or LARGEST_OBJECT) as (draft, size),
            self._writing,
        ):
            async with self._database.speaking_as_storage() as connection:
                before = await one(connection, _PRESENT, *place)
            version, metadata = uuid4(), {"size": size, "mimetype": incoming.content_type}
            async with self._database.speaking_as(identity) as connection:
                await _write(connection, identity, place, version, metadata, upsert=upsert)
                draft.rename(self._folder / str(version))  # before the commit: a visible row has its bytes
            if before:
                self.forget(before["version"])
        return web.json_response({"Id": str(before["id"] if before else version), "Key": f"{bucket}/{key}"})

    @asynccontextmanager
    async def _draft(self, pieces: AsyncIterable[bytes], limit: int) -> AsyncIterator[tuple[Path, int]]:
        """Receive a file of at most `limit` bytes; its path and size. It is deleted unless it was moved away."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".draft-") as folder:
            draft, size = Path(folder, "bytes"), 0
            with await asyncio.to_thread(draft.open, "wb") as file:
                async for piece in pieces:
                    size += len(piece)
                    if size > limit:
                        raise too_large()
                    await asyncio.to_thread(file.write, piece)
            yield draft, size

    async def _send(self, request: web.Request, row: Row) -> web.StreamResponse:
        path = self._folder / (row["version"] or ".none")
        if not await asyncio.to_thread(path.is_file):
            raise no_such_key()
        mimetype = (row["metadata"] or {}).get("mimetype", "application/octet-stream")
        headers = {"Cache-Control": "no-cache", "Content-Type": mimetype, "X-Content-Type-Options": "nosniff"}
        if (name := request.query.get("download")) is not None:
            headers["Content-Disposition"] = "attachment" + (f"; filename*=UTF-8''{quote(name)}" if name else "")
        return web.FileResponse(path, chunk_size=PIECE, headers=headers)


def _place(request: web.Request) -> tuple[str, str]:
    return request.match_info["bucket"], object_key(request.match_info["key"])


async def _write(
    connection: Connection,
    identity: Identity,
    place: tuple[str, str],
    version: UUID,
    metadata: Row,
    *,
    upsert: bool,
) -> None:
    """Insert or replace the row. A new object's id is its first version."""
    query = _INSERT + (_OR_REPLACE if upsert else "")
    owners = (identity.owner, identity.owner_id)
    await connection.execute(query.encode(), [version, *place, *owners, str(version), Jsonb(metadata)])


def _wants_upsert(request: web.Request) -> bool:
    return request.headers.get("x-upsert", "").lower() == "true"


async def _incoming(request: web.Request) -> Incoming:
    """supabase-js sends text and bytes raw; it (for a Blob) and supabase-py send a form with the file last."""
    if request.content_type != "multipart/form-data":
        return Incoming(request.content.iter_chunked(PIECE), request.headers.get("Content-Type", "text/plain"))
    reader: MultipartReader = await request.multipart()
    while isinstance(part := await reader.next(), BodyPartReader):
        if part.filename is not None:
            return Incoming(_pieces(part), part.headers.get("Content-Type", "application/octet-stream"))
        await part.release()
    raise invalid("No content provided")


async def _pieces(part: BodyPartReader) -> AsyncIterable[bytes]:
    while piece := await part.read_chunk(PIECE):
        yield piece


def _check_type(content_type: str, allowed: list[str] | None) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    family = kind.partition("/")[0] + "/*"
    if allowed and not {kind, family, "*/*", "*"} & {one.lower() for one in allowed}:
        raise problem(415, "InvalidMimeType", f"mime type {kind} is not supported", "invalid_mime_type")
