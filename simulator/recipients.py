"""Keeps the process of real recipients alive. If it dies, a successor starts with the same phones."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx

from simulator.process import Child

log = logging.getLogger(__name__)

#: The label of the client that is the phone itself.
PHONE = "phone"


def named(name: str) -> tuple[str, str]:
    """Split a recipient's name, NUMBER or NUMBER:LABEL, into the number and the label of this client of it."""
    number, _, label = name.partition(":")
    return number, label


class RecipientFailed(Exception):  # noqa: N818 - reads as the sentence it is
    """The recipient's client library could not do it; the text is the library's."""


class Recipients:
    """Supervises `simulator.phones`. The client library can abort that process; callers should not notice."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # no keep-alive: a kept connection to a process that has died would fail in the middle of a request
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.AsyncClient(trust_env=False, timeout=90, limits=limits)
        self._numbers: dict[str, None] = {}
        self._child: Child | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def has(self, phone: str) -> bool:
        return phone in self._numbers

    def numbers(self) -> list[str]:
        return list(self._numbers)

    async def start(self, phone: str, *, by_code: bool = False) -> None:
        """Link and connect a recipient. Returns when it is connected."""
        await self._post("start", {"phone": phone, "by_code": by_code})
        self._numbers[phone] = None

    async def ask(self, what: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Have a recipient do something. ValueError if there is no such recipient."""
        self._require(asked["phone"])
        return await self._post(what, asked)

    async def told(self, query: dict[str, str]) -> dict[str, Any]:
        """Wait until a recipient's client is told of something."""
        self._require(query["phone"])
        return _content(await self._http.get(f"{await self._url()}/told", params=query))

    async def stop(self) -> None:
        if self._watcher:
            self._watcher.cancel()
        if self._child:
            await self._child.stop()
        await self._http.aclose()

    async def _spawn(self) -> None:
        self._child = await Child.start(
            "simulator.phones",
            "--dir",
            str(self._directory),
            *self._numbers,
            log=self._directory / "phones.log",
            timeout=60,
        )
        self._watcher = asyncio.create_task(self._watch(self._child))

    async def _watch(self, child: Child) -> None:
        status = await child.ended()
        log.warning("the recipients' process ended with status %d; starting it again", status)
        await self._succeed(child)

    async def _succeed(self, dead: Child) -> None:
        """Start a successor of a process that has ended, unless there is one already."""
        async with self._changing:
            if self._child is not dead:
                return
            self._child = None
            try:
                await self._spawn()
            except RuntimeError:
                log.exception("the recipients' process can't be started again")

    async def _url(self) -> str:
        """Where the process listens. Starts it if needed."""
        async with self._changing:
            if self._child is None:
                await self._spawn()
            assert self._child is not None
            return self._child.said

    async def _post(self, what: str, asked: dict[str, Any]) -> dict[str, Any]:
        child = self._child
        try:
            return _content(await self._http.post(f"{await self._url()}/{what}", json=asked))
        except httpx.ConnectError:  # it has just died without getting the request, so ask its successor
            if child:
                await child.ended()
                await self._succeed(child)
            return _content(await self._http.post(f"{await self._url()}/{what}", json=asked))

    def _require(self, phone: str) -> None:
        if not self.has(phone):
            raise ValueError(f"{phone} is not a real recipient: start it with POST /phones")


def _content(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise RecipientFailed(answer.text)
    content: dict[str, Any] = answer.json()
    return content
