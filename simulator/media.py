"""The media host: stores encrypted files as they were uploaded, and serves them.

The `direct_path` of an upload's answer must contain a `?`: clients append their own parameters with `&`.
"""

from __future__ import annotations

from aiohttp import web

from simulator.wire.stanza import Attributes, Node

HOST = "mmg.whatsapp.net"


class MediaStore:
    """Ciphertext by upload token. The server never has the key."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._files)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/mms/{type}/{token}", self._upload), web.get("/o/{token}", self._download)]

    async def _upload(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        self._files[token] = await request.read()
        path = f"/o/{token}?ccb=11-4"
        return web.json_response({"url": f"https://{HOST}{path}", "direct_path": path})

    async def _download(self, request: web.Request) -> web.Response:
        stored = self._files.get(request.match_info["token"])
        return web.Response(status=404) if stored is None else web.Response(body=stored)


def media_connection() -> Node:
    """Tell clients where to upload and download."""
    attrs: Attributes = {"auth": "simulator", "ttl": 3600, "auth_ttl": 3600, "max_buckets": 12}
    return Node("media_conn", attrs, [Node("host", {"hostname": HOST})])
