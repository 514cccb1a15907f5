"""A request's body → bytes on disk and a row in storage.objects that the caller's policies allowed."""

import base64
import binascii
import json
import uuid
from collections.abc import AsyncIterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import BodyPartReader, MultipartReader, web
from psycopg.types.json import Jsonb

from localstack.gateway.errors import ApiError
from localstack.gateway.storage.blobs import Blobs, Draft
from localstack.gateway.storage.buckets import LARGEST_OBJECT
from localstack.gateway.storage.cleaning import Cleaning
from localstack.gateway.storage.database import Connection, Database, Identity, Row, one
from localstack.gateway.storage.names import object_key
from localstack.gateway.storage.problems import invalid, no_such_bucket, problem
from localstack.gateway.storage.signing import UPLOAD_LIFE, Signing

PIECE = 256 * 1024  #: bytes
_SIGNED = "upload"  #: the purpose of a token that allows one upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A file on its way, with what came before it."""

    pieces: AsyncIterable[bytes]
    content_type: str
    cache_control: str
    user_metadata: Row | None


class Uploads:
    def __init__(self, database: Database, blobs: Blobs, cleaning: Cleaning, signing: Signing) -> None:
        self._database = database
        self._blobs = blobs
        self._cleaning = cleaning
        self._signing = signing

    async def upload(self, request: web.Request) -> web.Response:
        identity = self._database.identity(request)
        return await self._receive(request, identity, upsert=_wants_upsert(request) or request.method == "PUT")

    async def sign(self, request: web.Request) -> web.Response:
        """An address that takes one upload from whoever has it. Refused now if the caller couldn't upload."""
        identity, upsert = self._database.identity(request), _wants_upsert(request)
        bucket, key = request.match_info["bucket"], object_key(request.match_info["key"])
        async with (
            self._database.speaking_as(identity) as connection,
            connection.transaction(force_rollback=True),
        ):
            await _write(connection, identity, bucket, key, None, {}, None, upsert=upsert)
        url = f"{bucket}/{key}"
        claims = {"role": identity.role, "sub": identity.owner_id, "upsert": upsert}
        token = self._signing.sign(_SIGNED, url, UPLOAD_LIFE, caller=claims)
        return web.json_response({"url": f"/object/upload/sign/{url}?token={token}", "token": token})

    async def upload_signed(self, request: web.Request) -> web.Response:
        bucket, key = request.match_info["bucket"], object_key(request.match_info["key"])
        claims = self._signing.claims(request.query.get("token"), _SIGNED, f"{bucket}/{key}")["caller"]
        identity = Identity("service_role", {"role": "service_role", "sub": claims["sub"]})
        return await self._receive(request, identity, upsert=claims["upsert"])

    async def _receive(self, request: web.Request, identity: Identity, *, upsert: bool) -> web.Response:
        bucket, key = request.match_info["bucket"], object_key(request.match_info["key"])
        async with self._database.speaking_as_storage() as connection:
            limits = await one(
                connection, "select file_size_limit, allowed_mime_types from storage.buckets where id = %s", bucket
            )
            before = await one(
                connection, "select version from storage.objects where bucket_id = %s and name = %s", bucket, key
            )
        if limits is None:
            raise no_such_bucket()
        incoming = await _incoming(request)
        _check_type(incoming.content_type, limits["allowed_mime_types"])
        async with (
            self._blobs.draft(incoming.pieces, limits["file_size_limit"] or LARGEST_OBJECT) as draft,
            self._blobs.keep(draft),
            self._database.speaking_as(identity) as connection,
        ):
            await _write(
                connection,
                identity,
                bucket,
                key,
                draft.sha256,
                _metadata(draft, incoming),
                incoming.user_metadata,
                upsert=upsert,
            )
        await self._cleaning.forget([before] if before else [])
        async with self._database.speaking_as_storage() as connection:
            row = await one(
                connection, "select id from storage.objects where bucket_id = %s and name = %s", bucket, key
            )
        return web.json_response({"Id": str(row["id"]) if row else None, "Key": f"{bucket}/{key}"})


async def _write(
    connection: Connection,
    identity: Identity,
    bucket: str,
    key: str,
    version: str | None,
    metadata: Row,
    user_metadata: Row | None,
    *,
    upsert: bool,
) -> None:
    """No `returning`: to upload takes the right to insert, not to read."""
    query = (
        "insert into storage.objects (id, bucket_id, name, owner, owner_id, version, metadata, user_metadata)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)"
    )
    if upsert:
        query += (
            " on conflict (bucket_id, name) do update set owner = excluded.owner, owner_id = excluded.owner_id,"
            " version = excluded.version, metadata = excluded.metadata, user_metadata = excluded.user_metadata"
        )
    await connection.execute(
        query.encode(),
        [
            uuid.uuid4(),
            bucket,
            key,
            identity.owner,
            identity.owner_id,
            version,
            Jsonb(metadata),
            Jsonb(user_metadata) if user_metadata is not None else None,
        ],
    )


def _wants_upsert(request: web.Request) -> bool:
    return request.headers.get("x-upsert", "").lower() == "true"


async def _incoming(request: web.Request) -> Incoming:
    """supabase-js sends a file's raw bytes; it (for a Blob) and supabase-py send a form with the file last."""
    if request.content_type == "multipart/form-data":
        return await _form(await request.multipart())
    return Incoming(
        pieces=request.content.iter_chunked(PIECE),
        content_type=request.headers.get("Content-Type", "application/octet-stream"),
        cache_control=request.headers.get("Cache-Control", "no-cache"),
        user_metadata=_user_metadata(_decoded(request.headers.get("x-metadata"))),
    )


async def _form(reader: MultipartReader) -> Incoming:
    fields: dict[str, str] = {}
    while isinstance(part := await reader.next(), BodyPartReader):
        if part.filename is None:
            fields[part.name or ""] = (await part.read(decode=True)).decode()
            continue
        seconds = fields.get("cacheControl")
        return Incoming(
            pieces=_pieces(part),
            content_type=part.headers.get("Content-Type", "application/octet-stream"),
            cache_control=f"max-age={seconds}" if seconds else "no-cache",
            user_metadata=_user_metadata(fields.get("metadata")),
        )
    raise invalid("No content provided")


async def _pieces(part: BodyPartReader) -> AsyncIterable[bytes]:
    while piece := await part.read_chunk(PIECE):
        yield piece


def _decoded(text: str | None) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode() if text else None
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid("x-metadata isn't base64") from error


def _user_metadata(text: str | None) -> Row | None:
    value: Any = json.loads(text) if text else None
    if value is not None and not isinstance(value, dict):
        raise invalid("metadata must be an object")
    return value


def _check_type(content_type: str, allowed: list[str] | None) -> None:
    kind = content_type.partition(";")[0].strip().lower()
    family = kind.partition("/")[0] + "/*"
    if allowed and not {kind, family, "*/*", "*"} & {one.lower() for one in allowed}:
        raise _wrong_type(kind)


def _wrong_type(kind: str) -> ApiError:
    return problem(415, "InvalidMimeType", f"mime type {kind} is not supported", "invalid_mime_type")


def _metadata(draft: Draft, incoming: Incoming) -> Row:
    return {
        "eTag": f'"{draft.sha256}"',
        "size": draft.size,
        "mimetype": incoming.content_type,
        "cacheControl": incoming.cache_control,
        "lastModified": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "contentLength": draft.size,
        "httpStatusCode": 200,
    }
