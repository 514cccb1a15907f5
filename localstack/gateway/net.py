"""Sends what committed transactions left in net.http_request_queue, as pg_net's worker does: at most once."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import psycopg
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, web
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from yarl import URL

from localstack.gateway.background import following

AT_ONCE = 32  #: requests under way
LARGEST_ANSWER = 2**20  #: bytes of a body; a longer one is an error
POLL = 1.0  #: seconds between looks; a commit notifies at once, this finds a notice that was lost
LIFE = "6 hours"  #: bytes of an answer

_TAKE = """
delete from net.http_request_queue where id in
  (select id from net.http_request_queue order by id limit %s for update skip locked)
returning *
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int | None = None
    headers: dict[str, str] | None = None
    content: str | None = None
    timed_out: bool = False
    error: str | None = None


class Net:
    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._under_way: set[asyncio.Task[None]] = set()
        self._forgotten = 0.0

    async def lifespan(self, _: web.Application) -> AsyncIterator[None]:
        async with ClientSession(
            cookie_jar=DummyCookieJar(), headers={"User-Agent": "pg_net/0.19.5"}
        ) as self._http:
            async with following("net", self._dsn, self._drain):
                yield
            for task in list(self._under_way):
                task.cancel()

    async def _drain(self, connection: psycopg.AsyncConnection) -> None:
        await connection.execute("listen localstack_net")
        while True:
            free = AT_ONCE - len(self._under_way)
            taken = await self._take(connection, free) if free else []
            for request in taken:
                task = asyncio.create_task(self._serve(request))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            if len(self._under_way) >= AT_ONCE:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            elif not taken:
                async for _ in connection.notifies(timeout=POLL, stop_after=1):
                    pass

    async def _take(self, connection: psycopg.AsyncConnection, most: int) -> list[dict[str, Any]]:
        created = await (await connection.execute("select to_regclass('net.http_request_queue')")).fetchone()
        if created is None or created[0] is None:
            return []
        if time.monotonic() - self._forgotten > 60:
            self._forgotten = time.monotonic()
            await connection.execute("delete from net._http_response where created < now() - %s::interval", [LIFE])
        cursor = await connection.cursor(row_factory=dict_row).execute(_TAKE, [most])
        return sorted(await cursor.fetchall(), key=lambda request: int(request["id"]))

    async def _serve(self, request: dict[str, Any]) -> None:
        answer = await self._send(request)
        kind = next((v for k, v in (answer.headers or {}).items() if k.lower() == "content-type"), None)
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            await connection.execute(
                "insert into net._http_response"
                " (id, status_code, content_type, headers, content, timed_out, error_msg)"
                " values (%s, %s, %s, %s, %s, %s, %s)",
                [
                    request["id"],
                    answer.status,
                    kind,
                    Jsonb(answer.headers) if answer.headers is not None else None,
                    answer.content,
                    answer.timed_out,
                    answer.error,
                ],
            )

    async def _send(self, request: dict[str, Any]) -> Answer:
        patience = request["timeout_milliseconds"]
        headers = {k: str(v) for k, v in (request["headers"] or {}).items() if v is not None}
        try:
            async with self._http.request(
                request["method"].upper(),
                URL(request["url"], encoded=True),  # as it was quoted in SQL
                headers=headers,
                data=request["body"],
                timeout=ClientTimeout(total=patience / 1000),
            ) as answer:
                body = bytearray()
                async for piece in answer.content.iter_chunked(64 * 1024):
                    body += piece
                    if len(body) > LARGEST_ANSWER:
                        return Answer(error=f"The answer is longer than {LARGEST_ANSWER} bytes")
                # Postgres's text has no NUL.
                text = body.decode(answer.charset or "utf-8", errors="replace").replace("\0", "")
                return Answer(status=answer.status, headers=dict(answer.headers), content=text)
        except TimeoutError:
            return Answer(timed_out=True, error=f"Timeout of {patience} ms reached")
        except (ClientError, ValueError, LookupError) as error:
            return Answer(error=str(error) or type(error).__name__)
