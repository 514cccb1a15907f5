"""Real recipients: several client-library instances in one process, each linked to a simulated account.

    python -m simulator.phones --dir DIR [PHONE…]

They scan their own QR codes through the simulator's control API, decrypt what they are sent and post it to the ledger.
The first line on standard output is the URL of the process's own control port, printed when all are connected:

    POST /start {phone}   POST /stop {phone}   POST /send {phone, chat, text}   POST /read {phone, message_ids?}
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from aiohttp import web

from simulator import lifetime
from simulator.entry_gate import EntryGate
from simulator.ledger import Received
from simulator.process import die_with_parent, say_ready
from simulator.redirect import Endpoint, import_trusting, restart_with

if TYPE_CHECKING:
    from simulator.recipient import Recipient


class Phones:
    """The recipients of this process."""

    def __init__(self, directory: Path, endpoint: Endpoint) -> None:
        self._stores = directory / "phones"
        self._stores.mkdir(exist_ok=True)
        self._endpoint, self._gate = endpoint, EntryGate()
        self._http = httpx.Client(trust_env=False, timeout=30)
        self._recipients: dict[str, Recipient] = {}

    def start(self, phone: str) -> None:
        """Connect a recipient; nothing happens if it is running."""
        from simulator.recipient import Recipient

        if phone not in self._recipients:
            recipient = Recipient(phone, self._stores / f"{phone}.db", self._gate, self._scan, self._record)
            recipient.start()
            self._recipients[phone] = recipient

    def stop(self, phone: str) -> None:
        if recipient := self._recipients.pop(phone, None):
            recipient.stop()

    def stop_all(self) -> None:
        for phone in list(self._recipients):
            self.stop(phone)

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.post("/start", self._start),
                web.post("/stop", self._stop),
                web.post("/send", self._send),
                web.post("/read", self._read),
            ]
        )
        return application

    async def _start(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self.start, (await request.json())["phone"])
        return web.json_response({})

    async def _stop(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(self.stop, (await request.json())["phone"])
        return web.json_response({})

    async def _send(self, request: web.Request) -> web.Response:
        asked = await request.json()
        recipient = self._recipient(asked["phone"])
        return web.json_response(
            {"message_id": await asyncio.to_thread(recipient.send, asked["chat"], asked["text"])}
        )

    async def _read(self, request: web.Request) -> web.Response:
        asked = await request.json()
        recipient = self._recipient(asked["phone"])
        read = await asyncio.to_thread(recipient.mark_read, asked.get("message_ids"))
        return web.json_response({"message_ids": read})

    def _recipient(self, phone: str) -> Recipient:
        try:
            return self._recipients[phone]
        except KeyError:
            raise web.HTTPNotFound(text=f"{phone} is no recipient of this process") from None

    def _scan(self, phone: str, qr_text: str) -> None:
        url = f"{self._endpoint.control_url}/phones/{phone}/scan"
        self._http.post(url, json={"qr": qr_text}).raise_for_status()

    def _record(self, received: Received) -> None:
        url = f"{self._endpoint.ledger_url}/received"
        self._http.post(url, json=dataclasses.asdict(received)).raise_for_status()


async def _run(directory: Path, endpoint: Endpoint, numbers: list[str]) -> None:
    phones = Phones(directory, endpoint)
    for number in numbers:
        await asyncio.to_thread(phones.start, number)
    async with lifetime.listening(phones.application()) as port:
        say_ready(f"http://127.0.0.1:{port}")
        await lifetime.until_signalled()
    await asyncio.to_thread(phones.stop_all)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulator.phones", description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, required=True, help="the simulator's directory, with simulator.json")
    parser.add_argument("phones", nargs="*", metavar="PHONE", help="numbers to link, digits only")
    options = parser.parse_args()
    endpoint = Endpoint.read(options.dir / "simulator.json")
    restart_with(endpoint.environment())
    die_with_parent()
    import_trusting(endpoint.root_public_key)
    logging.getLogger().setLevel(os.environ.get("SIMULATOR_LOG", "WARNING"))
    asyncio.run(_run(options.dir, endpoint, options.phones))
    os._exit(0)  # a normal exit waits for the library's threads, some of which never end


if __name__ == "__main__":
    main()
