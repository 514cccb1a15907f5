"""Real recipients: several instances of the client library in one process, each linked to a simulated account.

They pair through the simulator's control API, decrypt what they are sent and post it to the ledger. When all are
connected, `python -m simulator.phones --dir DIR [PHONE…]` prints one line: the URL of its own control port.
Requests:

    POST /start {phone, by_code?}                        link and connect; by QR unless told to use a code
    POST /stop  {phone}
    POST /restart {phone}                                stop it and connect it again
    POST /send  {phone, chat, text?, image?, reply_to?}  image: base64, with the text as its caption
    POST /read  {phone, message_ids?}
    POST /react {phone, message_id, emoji}
    POST /groups {phone}                                 the groups that its client says it is in
    GET  /told?phone=&message_id=&kind=&timeout=         wait for a receipt or event that its client reports
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import dataclasses
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from aiohttp import web

from simulator import lifetime
from simulator.entry_gate import EntryGate
from simulator.events import Changes
from simulator.ledger import Received
from simulator.process import claim_stdout, die_with_parent
from simulator.redirect import Endpoint, import_trusting, restart_with

if TYPE_CHECKING:
    from simulator.recipient import Recipient, Told

log = logging.getLogger(__name__)


@web.middleware
async def _tell_failures(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer an error with what the client library said."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception as failed:
        log.warning("%s failed", request.match_info.route, exc_info=True)
        return web.Response(status=502, text=f"{type(failed).__name__}: {failed}")


class Phones:
    """The recipients of this process. Acts as the owner of their phones."""

    def __init__(self, stores: Path, endpoint: Endpoint) -> None:
        self._stores = stores
        self._stores.mkdir(exist_ok=True)
        self._endpoint, self._gate = endpoint, EntryGate()
        self._http = httpx.Client(trust_env=False, timeout=30)
        self._recipients: dict[str, Recipient] = {}
        self._told: list[Told] = []
        self._changes, self._loop = Changes(), asyncio.get_running_loop()

    def start(self, phone: str, *, by_code: bool = False) -> None:
        """Connect a recipient, unless it is running."""
        from simulator.recipient import Recipient  # imports neonize, so only after `redirect`

        if phone not in self._recipients:
            store = self._stores / f"{phone}.db"
            recipient = Recipient(phone, store, self._gate, self, self._record, self._tell, by_code=by_code)
            recipient.start()
            self._recipients[phone] = recipient

    def stop(self, phone: str) -> None:
        if recipient := self._recipients.pop(phone, None):
            recipient.stop()

    def stop_all(self) -> None:
        for phone in list(self._recipients):
            self.stop(phone)

    def scan(self, phone: str, qr_text: str) -> None:
        """Have the account's phone scan a QR code, as its owner does."""
        self._post(f"{self._endpoint.control_url}/phones/{phone}/scan", {"qr": qr_text})

    def enter_code(self, phone: str, code: str) -> None:
        """Type a pairing code on the account's phone."""
        self._post(f"{self._endpoint.control_url}/phones/{phone}/code", {"code": code})

    def application(self) -> web.Application:
        """The process's own control port."""
        application = web.Application(middlewares=[_tell_failures], client_max_size=1 << 26)
        application.add_routes(
            [
                web.post("/start", self._start),
                web.post("/stop", self._stop),
                web.post("/send", self._send),
                web.post("/read", self._read),
                web.post("/react", self._react),
                web.post("/groups", self._groups),
                web.post("/restart", self._restart),
                web.get("/told", self._wait_told),
            ]
        )
        return application

    async def _start(self, request: web.Request) -> web.Response:
        asked = await request.json()
        await asyncio.to_thread(self.start, asked["phone"], by_code=bool(asked.get("by_code")))
        return web.json_response({})

    async def _stop(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self.stop, (await request.json())["phone"])
        return web.json_response({})

    async def _send(self, request: web.Request) -> web.Response:
        asked = await request.json()
        image = base64.b64decode(asked["image"]) if asked.get("image") else None
        send = self._recipient(asked["phone"]).send
        message_id = await asyncio.to_thread(
            send, asked["chat"], asked.get("text", ""), image, asked.get("reply_to")
        )
        return web.json_response({"message_id": message_id})

    async def _read(self, request: web.Request) -> web.Response:
        asked = await request.json()
        recipient = self._recipient(asked["phone"])
        read = await asyncio.to_thread(recipient.mark_read, asked.get("message_ids"))
        return web.json_response({"message_ids": read})

    async def _react(self, request: web.Request) -> web.Response:
        asked = await request.json()
        react = self._recipient(asked["phone"]).react
        return web.json_response(
            {"message_id": await asyncio.to_thread(react, asked["message_id"], asked["emoji"])}
        )

    async def _groups(self, request: web.Request) -> web.Response:
        groups = await asyncio.to_thread(self._recipient((await request.json())["phone"]).groups)
        return web.json_response({"groups": groups})

    async def _restart(self, request: web.Request) -> web.Response:
        phone = (await request.json())["phone"]
        await asyncio.to_thread(self.stop, phone)
        await asyncio.to_thread(self.start, phone)
        return web.json_response({})

    async def _wait_told(self, request: web.Request) -> web.Response:
        query = request.query
        phone, message_id, kind = query["phone"], query.get("message_id", ""), query["kind"]

        def by_kind() -> dict[str, Told]:
            about = (each for each in self._told if each.phone == phone and message_id in ("", each.message_id))
            return {each.kind: each for each in about}

        await self._changes.until(lambda: kind in by_kind(), float(query.get("timeout", "10")))
        if told := by_kind().get(kind):
            return web.json_response(dataclasses.asdict(told))
        raise web.HTTPNotFound(
            text=f"{phone} was not told of {kind} {message_id} in time, only of {list(by_kind())}"
        )

    def _recipient(self, phone: str) -> Recipient:
        try:
            return self._recipients[phone]
        except KeyError:
            raise web.HTTPNotFound(text=f"{phone} is not a recipient of this process") from None

    def _record(self, received: Received) -> None:
        self._post(f"{self._endpoint.ledger_url}/received", dataclasses.asdict(received))

    def _tell(self, told: Told) -> None:
        self._told.append(told)
        self._loop.call_soon_threadsafe(self._changes.notify)

    def _post(self, url: str, content: dict[str, object]) -> None:
        answer = self._http.post(url, json=content)
        if answer.is_error:
            log.error("%s: %d %s", url, answer.status_code, answer.text)


async def _run(stores: Path, endpoint: Endpoint, numbers: list[str], say_ready: Callable[[str], None]) -> None:
    phones = Phones(stores, endpoint)
    starts = (asyncio.to_thread(phones.start, number) for number in numbers)
    for number, failed in zip(numbers, await asyncio.gather(*starts, return_exceptions=True), strict=True):
        if failed:
            log.error("starting without …%s: %s", number[-2:], type(failed).__name__)
    async with lifetime.listening(phones.application()) as port:
        say_ready(f"http://127.0.0.1:{port}")
        await lifetime.until_signalled()
    await asyncio.to_thread(phones.stop_all)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulator.phones", description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, required=True, help="the simulator's directory, with simulator.json")
    parser.add_argument("--stores", type=Path, help="where the clients keep their keys (default: DIR/phones)")
    parser.add_argument("phones", nargs="*", metavar="PHONE", help="numbers to link, digits only")
    options = parser.parse_args()
    endpoint = Endpoint.read(options.dir / "simulator.json")
    restart_with(endpoint.environment())
    die_with_parent()
    say_ready = claim_stdout()
    import_trusting(endpoint.root_public_key)
    logging.getLogger().setLevel(os.environ.get("SIMULATOR_LOG", "WARNING"))
    asyncio.run(_run(options.stores or options.dir / "phones", endpoint, options.phones, say_ready))
    os._exit(0)  # a normal exit waits for the library's threads, some of which never end


if __name__ == "__main__":
    main()
