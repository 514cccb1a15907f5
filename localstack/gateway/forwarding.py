"""Forwards a request to another server and its answer back; streams bodies both ways."""

from collections.abc import Collection, Mapping

from aiohttp import ClientSession, web
from multidict import CIMultiDict

LONGEST_LINE = (
    64 * 1024
)  #: bytes; PostgREST takes long `in.(…)` lists in its URLs, and Content-Location repeats them
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
_SMALL = 256 * 1024  #: bytes up to which an answer goes out in one piece, without chunked encoding


async def forward(
    session: ClientSession, request: web.Request, url: str, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Raises what the session raises: aiohttp.ClientError, TimeoutError."""
    async with session.request(
        request.method,
        url,
        headers=headers,
        data=request.content if request.can_read_body else None,
        allow_redirects=False,
    ) as answer:
        answered = end_to_end(answer.headers)
        length = answer.content_length
        if request.method == "HEAD" or (length is not None and length <= _SMALL):
            body = await answer.read()
            if request.method != "HEAD":
                answered.pop("Content-Length", None)
            return web.Response(status=answer.status, headers=answered, body=body or None)
        response = web.StreamResponse(status=answer.status, headers=answered)
        await response.prepare(request)
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response


def end_to_end(headers: Mapping[str, str], without: Collection[str] = ()) -> CIMultiDict[str]:
    """The headers without those of a single connection, and without `without` (lower-case names)."""
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() not in _HOP_BY_HOP and name.lower() not in without:
            kept.add(name, value)
    return kept
