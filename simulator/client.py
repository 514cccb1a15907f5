"""The simulator for tests and scripts: start it, act as the owners of phones, see what arrived.

For example:

    simulator = await Simulator.start(directory)
    await simulator.scan("491511111111", qr_text)
    group = await simulator.create_group("Pottery", admin="491511111111", members=["491522222222"])
    asha = await simulator.recipient("491522222222")
    await asha.expects("we are live")
    await simulator.stop()
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from simulator.faults import FaultKind
from simulator.ledger import Ledger, Received
from simulator.process import REPOSITORY
from simulator.redirect import Endpoint

_READY = 20.0
_STOP = 10.0
#: Starting a recipient may include starting the recipients' process, and pairing.
_REQUEST = 90.0


def _make(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory.resolve()


class SimulatorRefused(Exception):  # noqa: N818 - an answer, not a fault
    """The control API refused a request; the text says why."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A real recipient: an instance of the client library that decrypts what its account gets."""

    phone: str
    simulator: Simulator
    client: str = ""  #: which of several clients of the number

    @property
    def name(self) -> str:
        """What the control API and the ledger call it."""
        return f"{self.phone}:{self.client}" if self.client else self.phone

    async def expects(self, text: str, timeout: float = 10, *, times: int = 1) -> Received:
        """Wait until it has received the text."""
        return await self.simulator.ledger.wait_for(self.name, text, timeout, times=times)

    def times_received(self, text: str) -> int:
        return self.simulator.ledger.times_received(self.name, text)

    async def send(self, chat: str, text: str, *, image: bytes | None = None, reply_to: str | None = None) -> str:
        """Write to a group JID or a phone number, and return the message id.

        image: sent with the text as its caption. reply_to: the id of a received message to quote.
        """
        asked = {"chat": chat, "text": text, "reply_to": reply_to}
        asked["image"] = base64.b64encode(image).decode() if image else None
        return str((await self._ask("send", asked))["message_id"])

    async def react(self, message_id: str, emoji: str) -> str:
        """React to a received message, and return the id of the reaction."""
        return str((await self._ask("react", {"message_id": message_id, "emoji": emoji}))["message_id"])

    async def groups(self) -> dict[str, dict[str, Any]]:
        """The groups that it is in, by JID. Each has name, description, announce_only, locked, members, admins."""
        found = await self.simulator.request("GET", f"/phones/{self.name}/groups")
        return {group["jid"]: group for group in found["groups"]}

    async def restart(self) -> None:
        """Stop its client and connect it again, from the same store."""
        await self._ask("restart", {})

    async def expects_receipt(self, message_id: str, kind: str, timeout: float = 10) -> dict[str, Any]:
        """Wait until its client is told of a receipt: delivered, inactive (also delivered), read or sender."""
        return await self.expects_event(kind, message_id, timeout)

    async def expects_event(self, kind: str, message_id: str = "", timeout: float = 10) -> dict[str, Any]:
        """Wait until its client is told of something: logged_out, replaced, banned, outdated, undecryptable, …"""
        query = f"message_id={message_id}&kind={kind}&timeout={timeout}"
        return await self.simulator.request("GET", f"/phones/{self.name}/told?{query}")

    async def _ask(self, what: str, asked: dict[str, Any]) -> dict[str, Any]:
        return await self.simulator.request("POST", f"/phones/{self.name}/{what}", asked)

    async def read(self, *message_ids: str) -> list[str]:
        """Mark messages as read, by default all, and return their ids."""
        return await self.simulator.read(self.name, *message_ids)


class Simulator:
    """A running simulator.

    file: its simulator.json, for `python -m simulator.launch_engine`. ledger: what recipients received.
    """

    def __init__(self, directory: Path, process: asyncio.subprocess.Process | None = None) -> None:
        self.directory, self._process = directory, process
        self.file = directory / "simulator.json"
        self.endpoint = Endpoint.read(self.file)
        self.ledger = Ledger(self.endpoint.ledger, self.endpoint.ledger_url)
        self._http = httpx.AsyncClient(base_url=self.endpoint.control_url, trust_env=False, timeout=_REQUEST)

    @classmethod
    async def start(cls, directory: Path) -> Simulator:
        """Start a simulator that ends with this process, and wait until it is ready."""
        directory = await asyncio.to_thread(_make, directory)
        with (directory / "simulator.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "simulator", "run", "--dir", str(directory)),
                *("--die-with-parent", "--say-ready"),
                cwd=REPOSITORY,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert process.stdout is not None
        with contextlib.suppress(TimeoutError):
            if await asyncio.wait_for(process.stdout.readline(), _READY):
                return cls(directory, process)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise RuntimeError(f"the simulator did not get ready: see {directory / 'simulator.log'}")

    async def stop(self) -> None:
        """Stop the simulator, if `start` started it."""
        await self._http.aclose()
        if self._process and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _STOP)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def account(self, phone: str, name: str | None = None) -> dict[str, Any]:
        """Create an account with a phone and no linked client, unless there is one."""
        return await self.request("POST", "/accounts", {"phone": phone, "name": name})

    async def recipient(
        self, phone: str, name: str | None = None, *, by_code: bool = False, client: str = ""
    ) -> Recipient:
        """Connect a real recipient. It pairs by QR code, or by the eight characters.

        client: tells several clients of one number apart; "phone" is the phone itself, device 0.
        """
        recipient = Recipient(phone, self, client)
        await self.request("POST", "/phones", {"phone": recipient.name, "name": name, "by_code": by_code})
        return recipient

    async def scan(self, phone: str, qr_text: str) -> str:
        """The owner scans a QR code. Returns the JID of the new device."""
        return str((await self.request("POST", f"/phones/{phone}/scan", {"qr": qr_text}))["jid"])

    async def enter_code(self, phone: str, code: str) -> None:
        """The owner types the eight characters that a client shows, with or without the hyphen."""
        await self.request("POST", f"/phones/{phone}/code", {"code": code})

    async def unlink(self, phone: str, device: int | None = None) -> None:
        """The owner removes a linked client, by default all."""
        await self.request("POST", f"/phones/{phone}/unlink", {"device": device})

    async def phone_offline(self, phone: str) -> None:
        await self.request("POST", f"/phones/{phone}/offline")

    async def phone_online(self, phone: str) -> None:
        await self.request("POST", f"/phones/{phone}/online")

    async def confirm(self, phone: str, to: str, message_id: bytes) -> None:
        """The phone confirms a message to an account. Any id goes: the network does not check it."""
        await self.request("POST", f"/phones/{phone}/confirm", {"to": to, "message_id": message_id.hex()})

    async def confirm_sends(self, phone: str, on: bool) -> None:
        """Set whether the phone confirms what its own account's clients send (`sender` receipts)."""
        await self.request("POST", f"/phones/{phone}/confirm-sends", {"on": on})

    async def joins_when_added(self, phone: str, on: bool) -> None:
        """Set whether others may add the account to groups; otherwise they may only invite it."""
        await self.request("POST", f"/phones/{phone}/joins-when-added", {"on": on})

    async def read(self, phone: str, *message_ids: str) -> list[str]:
        """The owner reads messages, by default all. Returns their ids."""
        asked = {"message_ids": list(message_ids) or None}
        return list((await self.request("POST", f"/phones/{phone}/read", asked))["message_ids"])

    async def create_group(self, subject: str, admin: str, members: list[str], *, announce: bool = False) -> str:
        """Create a group, and return its JID. announce: only admins may write."""
        asked = {"subject": subject, "admin": admin, "members": members, "announce": announce}
        return str((await self.request("POST", "/groups", asked))["jid"])

    async def fault(
        self,
        kind: FaultKind,
        phone: str | None = None,
        *,
        count: int | None = None,
        code: int = 500,
        seconds: float = 3600,
        device: int | None = None,
    ) -> None:
        """Make something go wrong (see `FaultKind`), for all phones or one, `count` times or until cleared."""
        asked = {"kind": kind, "phone": phone, "count": count, "code": code, "seconds": seconds, "device": device}
        await self.request("POST", "/faults", asked)

    async def clear_faults(self, kind: FaultKind | None = None, phone: str | None = None) -> None:
        """End the faults of a kind and of a phone, by default all."""
        given = {"kind": kind, "phone": phone}
        query = "&".join(f"{name}={value}" for name, value in given.items() if value)
        await self.request("DELETE", f"/faults?{query}")

    async def until_used_up(self, kind: FaultKind, timeout: float = 10, *, phone: str | None = None) -> None:
        """Wait until no fault of this kind is in force, or, given a phone, none for it. TimeoutError otherwise."""
        scope = f"&phone={phone}" if phone else ""
        answer = await self.request("GET", f"/faults/wait?kind={kind}&timeout={timeout}{scope}")
        if not answer["in_time"]:
            raise TimeoutError(f"{kind} did not happen as often as asked within {timeout} s")

    async def until_connected(self, phone: str, clients: int = 1, timeout: float = 10) -> None:
        """Wait until exactly this many clients of an account are connected. TimeoutError otherwise."""
        answer = await self.request("GET", f"/accounts/{phone}/wait?connected={clients}&timeout={timeout}")
        if not answer["in_time"]:
            raise TimeoutError(
                f"{phone} did not have {clients} connected clients within {timeout} s: {answer['devices']}"
            )

    async def until_delivered(self, phone: str, timeout: float = 10) -> None:
        """Wait until an account's clients have acknowledged everything sent to them. TimeoutError otherwise."""
        answer = await self.request("GET", f"/accounts/{phone}/wait?unacknowledged=0&timeout={timeout}")
        if not answer["in_time"]:
            raise TimeoutError(f"{phone} did not acknowledge everything within {timeout} s: {answer['devices']}")

    async def show(self, phone: str) -> dict[str, Any]:
        """An account's devices, their queues, its phone."""
        return await self.request("GET", f"/accounts/{phone}")

    async def state(self) -> dict[str, Any]:
        return await self.request("GET", "/state")

    async def times_processed(self, message_id: str) -> int:
        """How often the server processed a message of this id."""
        sent: Any = await self.request("GET", "/messages")
        return sum(each["times"] for each in sent if each["id"] == message_id)

    async def request(self, method: str, path: str, asked: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make any request to the control API. SimulatorRefused if it answers an error."""
        answer = await self._http.request(method, path, json=asked)
        if answer.is_error:
            raise SimulatorRefused(f"{method} {path}: {answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found
