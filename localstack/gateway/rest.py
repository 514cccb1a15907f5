"""/rest/v1 → PostgREST: the key becomes a role's JWT."""

from collections.abc import AsyncIterator

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

from localstack.gateway.access import Access
from localstack.gateway.errors import api_error
from localstack.gateway.forwarding import LONGEST_LINE, end_to_end, forward

PREFIX = "/rest/v1"
_OURS = {"host", "apikey", "authorization"}


class Rest:
    def __init__(self, access: Access, postgrest: str) -> None:
        self._access = access
        self._postgrest = postgrest
        self._session: ClientSession | None = None

    async def lifespan(self, _: web.Application) -> AsyncIterator[None]:
        """One session for all requests: PostgREST keeps its connections."""
        async with ClientSession(
            connector=TCPConnector(limit=0),
            timeout=ClientTimeout(total=None, connect=5),
            auto_decompress=False,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            cookie_jar=DummyCookieJar(),
        ) as self._session:
            yield

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert self._session
        token = self._access.token_for_postgrest(self._access.caller(request))
        headers = end_to_end(request.headers, without=_OURS)
        headers["Authorization"] = f"Bearer {token}"
        # raw_path: PostgREST's filters must arrive as they were quoted
        url = self._postgrest + (request.raw_path.removeprefix(PREFIX) or "/")
        try:
            return await forward(self._session, request, url, headers)
        except ClientError as error:
            raise api_error(503, message=f"PostgREST is away; try again. ({type(error).__name__})") from error
