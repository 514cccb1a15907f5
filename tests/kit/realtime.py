"""Realtime's two sides: a server that does wrong on demand; the worker's wake-ups, and the official client."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient

from localstack.client import Stack
from tests.kit.worker_process import until
from worker.supabase.client import Database
from worker.supabase.realtime.wakeups import LONGEST_PAUSE_SECONDS, Wakeups

DEADLINE = 10.0  # seconds for what takes milliseconds on a quiet machine
BACK = LONGEST_PAUSE_SECONDS + DEADLINE  # seconds until hints are back, from when Realtime is


@dataclass
class Realtime:
    """The server's side: what it does wrong, and rows that it has to tell of."""

    stack: Stack
    http: httpx.AsyncClient
    database: psycopg.AsyncConnection

    async def ask(self, mode: str | None = None, *, path: str = "") -> dict[str, Any]:
        url, headers = f"{self.stack.url}/localstack/realtime{path}", {"apikey": self.stack.secret_key}
        method = "POST" if mode or path else "GET"
        content = {"mode": mode} if mode else None
        answer = await self.http.request(method, url, headers=headers, json=content)
        answer.raise_for_status()
        return dict(answer.json())

    async def add_row(self) -> UUID:
        """Insert an account, which nobody connects."""
        row = await (
            await self.database.execute(
                "with o as (insert into public.organizations (name) values ('Pottery') returning id)"
                " insert into public.whatsapp_sessions (organization_id) select id from o returning id"
            )
        ).fetchone()
        assert row
        return UUID(str(row[0]))

    async def until_turned_away(self, count: int, seconds: float = 60) -> None:
        """Wait until so many more clients have been refused, or closed at once."""
        before = (await self.ask())["turned_away"]

        async def look() -> bool | None:
            return True if (await self.ask())["turned_away"] >= before + count else None

        await until(look, seconds, f"{count} attempts of a client")


@dataclass
class Ears:
    """Hints as the daemon gets them. fail: raise at the next one, as a mistake in a callback would."""

    wakeups: Wakeups = field(init=False)
    hints: Counter[str] = field(default_factory=Counter)
    after: dict[str, float] = field(default_factory=dict)  #: seconds, as the last hint of a name said
    fail: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def hint(self, name: str, after: float) -> None:
        if self.fail:
            self.fail = False
            raise RuntimeError("a mistake in a callback")
        self.hints[name] += 1
        self.after[name] = after
        self._news.set()

    async def until_hinted(self, *names: str, seconds: float = DEADLINE) -> None:
        """Wait for a hint of each name that comes from now on."""
        before = self.hints.copy()
        try:
            async with asyncio.timeout(seconds):
                while not all(self.hints[name] > before[name] for name in names):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no hint of each of {names} within {seconds:g} s: {self.hints}") from None

    async def until_live(self, live: bool = True, seconds: float = BACK) -> None:
        async def look() -> bool | None:
            return True if self.wakeups.live is live else None

        await until(look, seconds, "hints that are proven" if live else "the loss of Realtime to be seen")

    async def hear(self, realtime: Realtime) -> UUID:
        """A row is a hint; the row."""
        hinted = asyncio.create_task(self.until_hinted("sessions"))
        row = await realtime.add_row()
        await hinted
        return row


@asynccontextmanager
async def listening(stack: Stack, port: int, **settings: float) -> AsyncIterator[Ears]:
    """The wake-ups of a worker that reaches Realtime on this port, proven to hear."""
    database = Database(stack.url, stack.secret_key)
    run, made = uuid4(), Ears()
    await database.call("whatsapp_worker_start", {"p_worker": str(run), "p_run": str(run), "p_version": "0"})
    url = f"http://127.0.0.1:{port}"
    made.wakeups = Wakeups(database, url, stack.secret_key, run, made.hint, **settings)
    running = asyncio.create_task(made.wakeups.run())
    try:
        await made.until_live()
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await database.aclose()


@dataclass
class Bare:
    """The official client by itself."""

    client: AsyncRealtimeClient
    channel: AsyncRealtimeChannel
    heard: list[UUID] = field(default_factory=list)

    async def until_hears(self, realtime: Realtime) -> None:
        """Add rows until one more is heard: joined is not yet subscribed."""
        before = len(self.heard)

        async def look() -> bool | None:
            await realtime.add_row()
            return True if len(self.heard) > before else None

        await until(look, BACK, "the bare client to hear")

    @property
    def seems_well(self) -> bool:
        listener = self.client._listen_task
        return bool(self.client.is_connected and self.channel.is_joined and listener and not listener.done())
