"""The process of real recipients, kept alive: started on first need, started again with the same phones if it dies."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import httpx

from simulator.process import Child

log = logging.getLogger(__name__)


class Recipients:
    """Supervises `simulator.phones`. The client library can abort its process; nobody should have to notice."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._http = httpx.AsyncClient(trust_env=False, timeout=90)
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

    async def start(self, phone: str) -> None:
        """Link and connect a recipient; returns when it is."""
        async with self._changing:
            if self._child is None:
                await self._spawn()
            await self._post("start", {"phone": phone})
            self._numbers[phone] = None

    async def ask(self, what: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Have a recipient do something."""
        if not self.has(asked["phone"]):
            raise ValueError(f"{asked['phone']} is no real recipient: start it with POST /phones")
        return await self._post(what, asked)

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
        async with self._changing:
            self._child = None
            await self._spawn()

    async def _post(self, what: str, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._child is not None
        answer = await self._http.post(f"{self._child.said}/{what}", json=asked)
        answer.raise_for_status()
        posted: dict[str, Any] = answer.json()
        return posted
