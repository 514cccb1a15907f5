"""What recipients received: one JSON line per message in an append-only file, written by a process of its own.

That process outlives the recipients, so the count of arrivals stays right when they are killed. Lines are
flushed to the kernel, not forced to the disk. Recipients post to it; tests read the file or wait for an arrival:

    POST /received {phone, chat, sender, message_id, text, kind, …}   → {order}
    GET  /wait?phone=&text=&times=&timeout=                           → {received: […], in_time}
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from simulator import lifetime
from simulator.events import Changes
from simulator.process import claim_stdout, die_with_parent

#: Reading the machine's certificates would cost each wait 20 ms of processor; the ledger speaks no TLS.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message as a recipient's client decrypted it.

    phone: the recipient. chat, sender: JIDs as the client saw them. sender_phone: digits, if the client knew them.
    text: the text or caption. kind: text, image, document, …
    media_sha256, media_bytes: of the decrypted file. arrived_at: Unix seconds. order: counts all messages, from 1.
    """

    phone: str
    chat: str
    sender: str
    message_id: str
    text: str = ""
    kind: str = "text"
    sender_phone: str = ""
    media_sha256: str | None = None
    media_bytes: int | None = None
    arrived_at: float = 0
    order: int = 0

    @classmethod
    def parse(cls, found: dict[str, Any]) -> Received:
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in found.items() if name in names})


class Ledger:
    """Reads the file. url: of the ledger process; only `wait_for` needs it."""

    def __init__(self, path: Path, url: str | None = None) -> None:
        self.path, self._url = path, url

    def received(self, phone: str | None = None, text: str | None = None) -> list[Received]:
        """Everything that arrived, in order, by default for all phones and texts."""
        return [entry for entry in self._read() if _matches(entry, phone, text)]

    def times_received(self, phone: str, text: str) -> int:
        return len(self.received(phone, text))

    async def wait_for(self, phone: str, text: str, timeout: float = 10, *, times: int = 1) -> Received:
        """Wait until the phone has received the text. TimeoutError tells what it received instead."""
        if self._url is None:
            raise ValueError("waiting needs the URL of the ledger process")
        query = {"phone": phone, "text": text, "times": str(times), "timeout": str(timeout)}
        async with httpx.AsyncClient(timeout=timeout + 10, trust_env=False, verify=_NO_CERTIFICATES) as http:
            answer = (await http.get(f"{self._url}/wait", params=query)).raise_for_status().json()
        if not answer["in_time"]:
            seen = [entry.text or entry.kind for entry in self.received(phone)]
            raise TimeoutError(f"{phone} did not receive {text!r} {times}× within {timeout} s; it received {seen}")
        return Received.parse(answer["received"][times - 1])

    def _read(self) -> Iterator[Received]:
        if self.path.exists():
            for line in self.path.read_text().splitlines():
                yield Received.parse(json.loads(line))


def _matches(entry: Received, phone: str | None, text: str | None) -> bool:
    return (phone is None or entry.phone == phone) and (text is None or entry.text == text)


class _Intake:
    """Writes what recipients post, and wakes those who wait."""

    def __init__(self, file: TextIOWrapper, earlier: list[Received]) -> None:
        self._file, self._changes = file, Changes()
        self._entries = earlier

    async def receive(self, request: web.Request) -> web.Response:
        posted = Received.parse(await request.json())
        entry = dataclasses.replace(posted, arrived_at=time.time(), order=len(self._entries) + 1)
        self._file.write(json.dumps(dataclasses.asdict(entry), ensure_ascii=False) + "\n")
        self._file.flush()
        self._entries.append(entry)
        self._changes.notify()
        return web.json_response({"order": entry.order})

    async def wait(self, request: web.Request) -> web.Response:
        query = request.query
        phone, text = query.get("phone"), query.get("text")

        def found() -> list[Received]:
            return [entry for entry in self._entries if _matches(entry, phone, text)]

        times, timeout = int(query.get("times", "1")), float(query.get("timeout", "10"))
        in_time = await self._changes.until(lambda: len(found()) >= times, timeout)
        return web.json_response(
            {"in_time": in_time, "received": [dataclasses.asdict(entry) for entry in found()]}
        )


async def _run(path: Path, say_ready: Callable[[str], None]) -> None:
    with path.open("a") as file:
        intake = _Intake(file, Ledger(path).received())
        application = web.Application()
        application.add_routes([web.post("/received", intake.receive), web.get("/wait", intake.wait)])
        async with lifetime.listening(application) as port:
            say_ready(f"http://127.0.0.1:{port}")
            await lifetime.until_signalled()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.ledger", description="Keep the record of what recipients received."
    )
    parser.add_argument("--file", type=Path, required=True, help="the JSON lines file, appended to")
    options = parser.parse_args()
    die_with_parent()
    asyncio.run(_run(options.file, claim_stdout()))


if __name__ == "__main__":
    main()
