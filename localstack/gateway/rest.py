"""/rest/v1 → PostgREST: the key becomes a role's JWT, bodies stream both ways."""

from collections.abc import AsyncIterator, Mapping

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict

from localstack.gateway.access import Access
from localstack.gateway.errors import api_error

PREFIX = "/rest/v1"
LONGEST_LINE = 64 * 1024  #: bytes; PostgREST takes long `in.(…)` lists in its URLs
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
_OURS = {"host", "apikey", "authorization"}
_SMALL = 256 * 1024  #: bytes of an answer that go out in one piece, which spares chunked encoding


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
            max_field_size=LONGEST_LINE,  # Content-Location repeats the URL
            cookie_jar=DummyCookieJar(),
        ) as self._session:
            yield

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert self._session
        token = self._access.token_for_postgrest(self._access.caller(request))
        headers = _end_to_end(request.headers, without=_OURS)
        headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._session.request(
                request.method,
                # raw_path: PostgREST's filters must arrive as they were quoted
                self._postgrest + (request.raw_path.removeprefix(PREFIX) or "/"),
                headers=headers,
                data=request.content if request.can_read_body else None,
                allow_redirects=False,
            ) as answer:
                headers = _end_to_end(answer.headers, without=set())
                length = answer.content_length
                if request.method == "HEAD" or (length is not None and length <= _SMALL):
                    body = await answer.read()
                    if request.method != "HEAD":
                        headers.pop("Content-Length", None)
                    return web.Response(status=answer.status, headers=headers, body=body or None)
                response = web.StreamResponse(status=answer.status, headers=headers)
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response
        except ClientError as error:
            raise api_error(503, message=f"PostgREST is away; try again. ({type(error).__name__})") from error


def _end_to_end(headers: Mapping[str, str], without: set[str]) -> CIMultiDict[str]:
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() not in _HOP_BY_HOP and name.lower() not in without:
            kept.add(name, value)
    return kept
