"""/functions/v1/NAME → the function of that name in Deno, after the JWT check if config.toml asks for it.

As hosted: `verify_jwt` (on unless config.toml says otherwise) requires a user's JWT in Authorization, but not
from a preflight. No API key is needed. The function sees the path /NAME/… and answers with its own CORS headers.
https://supabase.com/docs/guides/functions/auth-headers
"""

import asyncio
import logging
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import jwt
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

from localstack.gateway.access import Access
from localstack.gateway.deno import DenoFunction, StartError
from localstack.gateway.errors import ANSWERED_BY_FUNCTION, FUNCTIONS, api_error
from localstack.gateway.forwarding import LONGEST_LINE, end_to_end, forward

IDLE_TIMEOUT = 150  #: seconds until the platform gives up on an answer

log = logging.getLogger(__name__)


class Functions:
    """Starts each function at its first request, and again after its source or the secrets have changed.

    folder: supabase/functions; config.toml lies beside it. secrets: the file in place of `supabase secrets set`.
    """

    def __init__(
        self, access: Access, *, folder: Path, secrets: Path, defaults: dict[str, str], logs: Path
    ) -> None:
        self._access = access
        self._folder = folder
        self._secrets = secrets
        self._defaults = defaults
        self._log = logs / "functions.log"
        self._running: dict[str, DenoFunction] = {}
        self._lock = asyncio.Lock()
        self._session: ClientSession | None = None

    async def lifespan(self, _: web.Application) -> AsyncIterator[None]:
        async with AsyncExitStack() as closing:
            self._session = await closing.enter_async_context(
                ClientSession(
                    connector=TCPConnector(
                        limit=0, force_close=True
                    ),  # a kept connection may be a stopped child's
                    timeout=ClientTimeout(total=IDLE_TIMEOUT),
                    auto_decompress=False,
                    max_line_size=LONGEST_LINE,
                    max_field_size=LONGEST_LINE,
                    cookie_jar=DummyCookieJar(),
                )
            )
            yield
            for function in self._running.values():
                await function.stop()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert self._session
        name = request.match_info["name"]
        if name.startswith(("_", ".")) or not (self._folder / name / "index.ts").is_file():
            raise api_error(404, code="NOT_FOUND", message="Requested function was not found")
        if request.method != "OPTIONS" and self._verifies_jwt(name):
            self._verify(request)
        try:
            url = await self._url_of(name)
        except StartError as error:
            log.warning("%s: %s", name, error)
            raise api_error(
                503, code="BOOT_ERROR", message="Function failed to start (please check logs)"
            ) from error
        headers = end_to_end(request.headers, without={"host"})
        headers["Host"] = request.host
        request[ANSWERED_BY_FUNCTION] = True
        try:
            return await forward(self._session, request, url + request.raw_path.removeprefix(FUNCTIONS), headers)
        except TimeoutError as error:
            request[ANSWERED_BY_FUNCTION] = False
            raise api_error(504, code="IDLE_TIMEOUT", message="The function gave no answer in time") from error
        except ClientError as error:
            request[ANSWERED_BY_FUNCTION] = False
            raise api_error(502, code="WORKER_ERROR", message="Function exited (please check logs)") from error

    def _verifies_jwt(self, name: str) -> bool:
        try:
            config = tomllib.loads((self._folder.parent / "config.toml").read_text())
        except FileNotFoundError:
            return True
        return bool(config.get("functions", {}).get(name, {}).get("verify_jwt", True))

    def _verify(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            raise api_error(401, code=401, message="Missing authorization header")
        try:
            self._access.claims(token.strip())
        except jwt.InvalidTokenError as error:
            unreadable = isinstance(error, jwt.DecodeError) and not isinstance(error, jwt.InvalidSignatureError)
            words = "Invalid Token or Protected Header formatting" if unreadable else "Invalid JWT"
            raise api_error(401, code=401, message=words) from error

    async def _url_of(self, name: str) -> str:
        async with self._lock:
            version = self._version()
            running = self._running.get(name)
            if running and running.version == version and running.alive:
                return running.url
            if running:
                await running.stop()
            environment = self._defaults | read_secrets(self._secrets)
            started = await DenoFunction.start(self._folder / name, environment, version, self._log)
            self._running[name] = started
            return started.url

    def _version(self) -> tuple[tuple[str, int], ...]:
        """Changes when a source file or the secrets do."""
        files = [*self._folder.rglob("*.ts"), *self._folder.rglob("*.json"), self._secrets]
        return tuple(sorted((str(path), path.stat().st_mtime_ns) for path in files if path.exists()))


def read_secrets(path: Path) -> dict[str, str]:
    """NAME=value lines. Names that begin with SUPABASE_ are the platform's, as hosted: they are left out."""
    if not path.exists():
        return {}
    lines = [line.strip() for line in path.read_text().splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {
        name.strip(): value.strip().strip("\"'")
        for name, _, value in pairs
        if not name.strip().startswith("SUPABASE_")
    }
