"""The one way to the project's database: PostgREST, over one pool of connections, with every answer judged here.

Queries are built by the official ``postgrest`` client. Its ``execute()`` is not used: it hides the HTTP status, hands
on a page of HTML or half a JSON document as if it were the result, and takes answers of any size.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httpx
from postgrest import AsyncPostgrestClient
from postgrest.base_request_builder import RequestConfig

from worker.errors import DatabaseRefused, KeyRefused, SettingsError, StoreError, TooLarge
from worker.reconnect_delay import delay
from worker.supabase.sqlstate import Meaning, meaning_of, worker_error
from worker.supabase.transport import AiohttpTransport

#: Seconds for one attempt. A list of 100 messages beside ten million rows takes 3 ms.
ATTEMPT_SECONDS = 10.0

#: Seconds, about: before a call is retried the first time; the pauses grow to ten times as much.
FIRST_PAUSE_SECONDS = 0.2

#: Connections of the worker's own calls. The API has a pool of its own: no flood of requests makes a heartbeat wait.
CONNECTIONS = 16

#: Bytes of an answer. The largest in order, 50 claims with texts and media links, has about 4 MB.
LARGEST_ANSWER = 64 * 2**20


#: How long a worker waits for a key that has never worked, seconds. Hosted projects refuse a right key for a moment now
#: and then (401, PGRST303 "JWT issued at future": github.com/supabase/supabase/issues/49655).
PATIENCE_SECONDS = 60.0


class Query(Protocol):
    """A query that a builder of ``postgrest`` has made."""

    @property
    def request(self) -> RequestConfig[httpx.AsyncClient]:
        """What is to be sent."""


class KeyTrust:
    """Whether the secret key is wrong, which only a person can fix, or was refused in passing.

    patience: seconds; 0 for a command, whose person sees the answer at once.
    """

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._refused_at: float | None = None
        self.worked = False  #: the database has answered a call under it

    def answered(self) -> None:
        """Note that the database took the key."""
        self.worked = True

    def wrong(self) -> bool:
        """Note a refusal; whether it is one that only a person can end."""
        if self._refused_at is None:
            self._refused_at = self._clock()
        return not self.worked and self._clock() - self._refused_at >= self._patience


class Database:
    """A project's database. ``call`` is for the worker's own functions, ``run`` for queries under anybody's token."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        trust: KeyTrust | None = None,
        path: str = "/rest/v1",
        connections: int = CONNECTIONS,
        first_pause: float = FIRST_PAUSE_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Raises SettingsError if the key can be none.

        trust: when a refused key counts as wrong; by default at once.
        path: where PostgREST is; empty without a gateway in front.  first_pause: seconds before the first retry.
        transport: what carries the requests, for tests.
        """
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise SettingsError("SUPABASE_SERVICE_KEY: not a key; copy the secret key of this project")
        self._url = url + path
        self._key = key
        self._trust = trust or KeyTrust(0)
        self._first_pause = first_pause
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._http = httpx.AsyncClient(
            transport=transport or AiohttpTransport(connections),
            follow_redirects=False,  # a redirect would carry the key elsewhere
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def queries(self, token: str | None = None, headers: Mapping[str, str] | None = None) -> AsyncPostgrestClient:
        """Give a builder of queries that act as the token's user, or without one as service_role."""
        sent = {"apikey": self._key, "Authorization": f"Bearer {token or self._key}", **(headers or {})}
        return AsyncPostgrestClient(self._url, headers=sent, http_client=self._http)

    async def run(self, query: Query, *, seconds: float = ATTEMPT_SECONDS) -> Any:
        """Send a query once; the answer's JSON, None if it has none.

        Raises StoreError if no answer of the database came, or it is busy; else DatabaseRefused.
        """
        asked = query.request
        content = None if asked.json is None else json.dumps(asked.json, separators=(",", ":")).encode()
        kind = {} if content is None else {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.stream(
                    asked.http_method,
                    str(asked.path),
                    params=asked.params,
                    content=content,
                    headers=[*asked.headers.multi_items(), *kind.items()],
                ) as answer,
            ):
                return _judged(answer, await _read(answer))
        except (httpx.HTTPError, TimeoutError) as error:
            raise StoreError(f"Supabase does not answer ({type(error).__name__})") from None

    async def call(
        self, function: str, arguments: Mapping[str, Any], *, attempts: int = 3, seconds: float = ATTEMPT_SECONDS
    ) -> Any:
        """Call a function as service_role; repeat while Supabase is away.

        Each such function is idempotent, or its caller repairs a lost answer (``SupabaseOutbox.return_unknown``).
        seconds: for each attempt.  Raises StoreError after the last one, KeyRefused if the key was refused and may be
        right, else what ``worker_error`` says.
        """
        query = self.queries().rpc(function, dict(arguments))
        for attempt in range(1, attempts + 1):
            try:
                answer = await self.run(query, seconds=seconds)
            except DatabaseRefused as refused:
                passes = self._passes(refused)
                too_large = meaning_of(refused.status, refused.code) is Meaning.TOO_LARGE
                if not passes and (not too_large or attempt == attempts):
                    raise worker_error(refused, function) from None
                if attempt == attempts:
                    raise KeyRefused(f"Supabase refuses this worker ({refused.code or refused.status})") from None
            except StoreError:
                if attempt == attempts:
                    raise
            else:
                self._trust.answered()
                return answer
            await asyncio.sleep(delay(attempt, self._rng, base=self._first_pause, cap=10 * self._first_pause))
        raise AssertionError("unreachable")

    def _passes(self, refused: DatabaseRefused) -> bool:
        """Tell whether a refusal may be gone at the next call, although it blames the worker's key or the database."""
        match meaning_of(refused.status, refused.code):
            case Meaning.TOKEN_REFUSED:
                return not self._trust.wrong()
            case Meaning.NOT_ALLOWED | Meaning.NOT_MIGRATED:  # also while somebody pushes migrations
                return self._trust.worked
        return False


async def _read(answer: httpx.Response) -> bytes:
    content = bytearray()
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > LARGEST_ANSWER:
            raise TooLarge(f"Supabase's answer is larger than {LARGEST_ANSWER // 2**20} MB")
    return bytes(content)


def read_json(content: bytes) -> Any:
    """Read an answer, also one with a number that is longer than Python reads: that one becomes infinite.

    Raises ValueError, or RecursionError for more than some 1,000 levels.
    """
    try:
        return json.loads(content)
    except ValueError:
        return json.loads(content, parse_int=lambda digits: int(digits) if len(digits) < 4_000 else float(digits))


def _judged(answer: httpx.Response, content: bytes) -> Any:
    """Tell the database's answer from what something in between sends. Raises StoreError, DatabaseRefused."""
    if answer.is_success and not content:
        return None
    if answer.is_redirect:
        raise StoreError(
            f"Supabase redirects ({answer.status_code}): SUPABASE_URL must be the project's own address"
        )
    not_json = StoreError(f"Supabase answered {answer.status_code} and no JSON")
    if "json" not in answer.headers.get("Content-Type", ""):
        raise not_json
    try:
        said = read_json(content)
    except (ValueError, RecursionError):  # not JSON, or deeper, or with longer numbers, than Python reads
        raise not_json from None
    if answer.is_success:
        return said
    told = said if isinstance(said, dict) else {}
    code, hint = str(told.get("code") or ""), told.get("hint")
    if meaning_of(answer.status_code, code) is Meaning.AWAY:
        raise StoreError(f"Supabase is busy or away ({code or answer.status_code})")
    raise DatabaseRefused(answer.status_code, code, str(told.get("message") or ""), str(hint) if hint else None)
