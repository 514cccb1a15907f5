"""A database as it is after 90 days of 100 organisations, for the queue bench to measure."""

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from localstack.client import LocalStack, Stack
from localstack.credentials import Credentials
from localstack.layout import REPOSITORY, SCRATCH, Layout, LocalStackError, Phase
from scripts.drills.queue_sql import (
    ACCOUNTS,
    ACCOUNTS_EACH,
    CLAIM,
    DAYS,
    FINISHED,
    FORGET_OPEN,
    FOUND,
    LOOSE_INDEXES,
    OPEN,
    ORGANIZATIONS,
    PREWARM,
    RULES_OFF,
    RULES_ON,
    SENT_IDS,
    SIZES,
)

Row = dict[str, Any]
Values = Sequence[Any] | Mapping[str, Any] | None
Say = Callable[[str], None]

BATCH = 250_000  #: rows a transaction while loading
SHARED_BUFFERS = "2GB"  #: a quarter of the memory of a hosted project of 8 GB; ten million rows take 5.5
#: What a finished row needs on disk with its index entries; the write-ahead log and sorts beside all of them.
BYTES_A_ROW, BYTES_BESIDE = 750, 4 << 30


@asynccontextmanager
async def queue_world(directory: Path, say: Say, *, keep: bool = False) -> AsyncIterator["QueueWorld"]:
    """A stack with organisations for the length of the block; keep: it was there, or stays there, after it."""
    async with AsyncExitStack() as exits:
        if keep:
            stack = await asyncio.to_thread(_kept_stack, directory)
        else:
            stack = await exits.enter_async_context(LocalStack.start(directory))
        credentials = Credentials.load_or_generate(Layout(stack.directory).credentials)
        urls = (credentials.dsn("supabase_admin", stack.state.ports["postgres"]), stack.database_url)
        await asyncio.to_thread(_size_buffers, stack, urls[0])
        admin, owner = [
            await exits.enter_async_context(
                await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row)
            )
            for url in urls
        ]
        world = QueueWorld(stack, admin, owner, say)
        await world.found()
        yield world


def _kept_stack(directory: Path) -> Stack:
    if Layout.at(directory).read_state().phase is not Phase.READY:
        up = [sys.executable, "-m", "localstack", "up", "--detach", "--dir", str(directory)]
        subprocess.run(up, check=True, cwd=REPOSITORY, stdout=sys.stderr)
    return Stack.attach(directory)


def _size_buffers(stack: Stack, url: str) -> None:
    """The local stack's own 128 MB suit a test's table; a server sized for this data has more."""
    with psycopg.connect(url, autocommit=True) as admin:
        if admin.execute("select current_setting('shared_buffers')").fetchone() == (SHARED_BUFFERS,):
            return
        admin.execute(f"alter system set shared_buffers = '{SHARED_BUFFERS}'".encode())
        admin.execute("checkpoint")
    stack.await_restart("postgres", stack.kill("postgres"), within=60)


def _processor_time(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1_000_000


@dataclass(slots=True)
class QueueWorld:
    """A stack with its organisations; ``admin`` is the stack's superuser, ``owner`` the role that migrates."""

    stack: Stack
    admin: "psycopg.AsyncConnection[Row]"
    owner: "psycopg.AsyncConnection[Row]"
    say: Say

    async def rows(self, sql: LiteralString, values: Values = None) -> list[Row]:
        """Ask as the superuser."""
        cursor = await self.admin.execute(sql, values)
        return await cursor.fetchall() if cursor.description else []

    async def value(self, sql: LiteralString, values: Values = None) -> Any:
        """The one value of the one row."""
        (row,) = await self.rows(sql, values)
        (value,) = row.values()
        return value

    async def found(self) -> None:
        """Make the organisations, unless a kept stack has them."""
        if not await self.value("select to_regclass('bench.loaded') is not null"):
            sizes = {"organizations": ORGANIZATIONS, "accounts_each": ACCOUNTS_EACH}
            async with psycopg.AsyncClientCursor(self.admin) as cursor:
                await cursor.execute(FOUND, sizes)
            await self.admin.execute("grant usage on schema bench to postgres")
            await self.admin.execute("grant all on all tables in schema bench to postgres")
            await self.admin.execute("grant all on all sequences in schema bench to postgres")
        await self.admin.execute(FORGET_OPEN)
        await self.rules(on=True)

    async def rules(self, *, on: bool) -> None:
        """Switch what can be switched for every organisation. Quiet hours begin in six hours from now."""
        if on:
            now = datetime.now(UTC)
            quiet = {"start": now + timedelta(hours=6), "end": now + timedelta(hours=14)}
            await self.owner.execute(RULES_ON, [Jsonb({key: f"{at:%H:%M}" for key, at in quiet.items()})])
        else:
            await self.owner.execute(RULES_OFF)

    async def load(self, total: int) -> float:
        """Add finished rows until there are so many; how many seconds it took. Then what autovacuum would do."""
        begun = time.monotonic()
        (known,) = await self.rows("select rows, until from bench.loaded")
        missing = total - known["rows"]
        if missing <= 0:
            return 0.0
        if (free := shutil.disk_usage(SCRATCH).free) < (needed := missing * BYTES_A_ROW + BYTES_BESIDE):
            raise LocalStackError(f"{missing:,} rows need {needed >> 30} GiB in {SCRATCH}; {free >> 30} are free.")
        loose = await self.rows(LOOSE_INDEXES) if missing > BATCH else []
        for index in loose:
            await self.admin.execute(f"drop index {index['name']}".encode())
        await self.admin.execute("set session_replication_role = replica; set work_mem = '512MB'")
        for first in range(known["rows"] + 1, total + 1, BATCH):
            last = min(first + BATCH - 1, total)
            span = {"first": first, "last": last, "total": total, "until": known["until"]}
            async with self.admin.transaction():
                await self.admin.execute(FINISHED, span | {"accounts": ACCOUNTS, "days": DAYS})
                await self.admin.execute("update bench.loaded set rows = %s", [last])
            if last == total or last % 1_000_000 == 0:
                rate = (last - known["rows"]) / (time.monotonic() - begun)
                self.say(f"{last:,} of {total:,} finished rows, {rate:,.0f} a second")
        self.say("the ids under which they went out")
        await self.admin.execute(SENT_IDS)
        await self.admin.execute("reset session_replication_role; reset work_mem")
        for index in loose:
            self.say(f"index {index['name']}")
            await self.admin.execute(index["definition"].encode())
        return time.monotonic() - begun

    async def tidy(self) -> None:
        """What time would do: statistics and visibility by autovacuum, and the indexes read into memory by use."""
        await self.admin.execute("vacuum (analyze)")
        await self.admin.execute("create extension if not exists pg_prewarm schema extensions")
        await self.rows(PREWARM)

    async def queue(self, count: int, *, ruled: bool = True) -> tuple[list[Any], float]:
        """Insert open rows in one statement, with every trigger; their ids and the milliseconds it took."""
        begun = time.perf_counter()
        cursor = await self.owner.execute(OPEN, {"count": count, "accounts": ACCOUNTS, "ruled": ruled})
        ids = [row["id"] for row in await cursor.fetchall()]
        return ids, (time.perf_counter() - begun) * 1000

    async def claim(self, run: UUID, batch: int) -> tuple[list[Row], float]:
        """A claim of a worker's run, timed inside the database; the claims and its milliseconds."""
        (answer,) = await self.rows(CLAIM, [run, batch])
        return answer["claims"], (answer["ended"] - answer["begun"]).total_seconds() * 1000

    async def processor_times(self) -> dict[int, float]:
        """Milliseconds of a processor that each of PostgREST's backends has had; other programs don't count."""
        backends = await self.rows("select pid from pg_stat_activity where usename = 'authenticator'")
        return {backend["pid"]: _processor_time(backend["pid"]) for backend in backends}

    async def sizes(self) -> dict[str, int]:
        """Mebibytes of the queue table and of each of its indexes."""
        return {row["name"]: row["bytes"] >> 20 for row in await self.rows(SIZES)}
