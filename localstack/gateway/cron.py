"""Runs the jobs of cron.job when they are due, as their users, and records them, as pg_cron does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from aiohttp import web
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from localstack.gateway.access import Access
from localstack.gateway.background import following
from localstack.gateway.errors import api_error

AT_ONCE = 32  #: jobs that run, as pg_cron's default
POLL = 1.0  #: seconds between looks at the jobs

Row = dict[str, Any]

#: This function exists only in the stand-in: a real pg_cron (tests/lane15) runs its jobs itself.
_THIS_MINUTE = "select date_trunc('minute', now()), to_regproc('cron._seconds')"
#: Active jobs: how often each was due in the minutes since the last look, or its period in seconds.
_JOBS = """
select j.jobid, j.jobname, j.command, j.database, j.username, cron._seconds(j.schedule) as seconds,
  (select count(*) from generate_series(%s::timestamptz + interval '1 minute', %s::timestamptz, '1 minute') m
   where cron._due(j.schedule, m)) as times
from cron.job j where j.active
"""
_ABANDONED = """
update cron.job_run_details set status = 'failed', return_message = 'server restarted', end_time = now()
where status = 'running' and runid <> all(%s)
"""
_START = """
insert into cron.job_run_details (jobid, job_pid, database, username, command, status, start_time)
values (%s, %s, %s, %s, %s, 'running', now()) returning runid
"""
_FINISH = """
update cron.job_run_details set status = %s, return_message = %s, end_time = now() where runid = %s returning *
"""


@dataclass(slots=True)
class Turn:
    """A job never runs twice at the same time; while it runs, one more run may wait."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: bool = False
    period: int | None = None
    next: float = 0.0  #: monotonic time of the next run, if it has a period


class Cron:
    """dsn_of: a connection string for a role, or None if the stack has no password of it."""

    def __init__(self, access: Access, admin_dsn: str, dsn_of: Callable[[str], str | None]) -> None:
        self._access = access
        self._admin_dsn = admin_dsn
        self._dsn_of = dsn_of
        self._turns: dict[int, Turn] = {}
        self._running: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/localstack/cron", self.run_now)]

    async def lifespan(self, _: web.Application) -> AsyncIterator[None]:
        async with following("cron", self._admin_dsn, self._keep_time):
            yield
        for task in self._tasks:
            task.cancel()

    async def run_now(self, request: web.Request) -> web.Response:
        """{"run": "JOB"} → the details of the run, once it has ended."""
        self._access.require_admin(request)
        body = await request.json()
        async with await psycopg.AsyncConnection.connect(
            self._admin_dsn, autocommit=True, row_factory=dict_row
        ) as connection:
            there = await (await connection.execute("select to_regproc('cron._due') as ours")).fetchone()
            job: Row | None = None
            if there and there["ours"]:
                job = await (
                    await connection.execute("select * from cron.job where jobname = %s", [body.get("run")])
                ).fetchone()
        if job is None:
            raise api_error(404, message=f"There is no job {body.get('run')!r}; cron.job names those that are.")
        details = await self._run(job, self._turns.setdefault(job["jobid"], Turn()))
        return web.json_response({k: v.isoformat() if isinstance(v, datetime) else v for k, v in details.items()})

    async def _keep_time(self, connection: psycopg.AsyncConnection) -> None:
        """Runs what was due in minutes that the gateway missed, but not before its start."""
        since, met = None, False
        while True:
            row = await (await connection.execute(_THIS_MINUTE)).fetchone()
            assert row
            minute, there = row
            if there:
                if not met:
                    await connection.execute(_ABANDONED, [list(self._running)])
                    met = True
                cursor = connection.cursor(row_factory=dict_row)
                for job in await (await cursor.execute(_JOBS, [since or minute, minute])).fetchall():
                    self._look(job)
            since = minute
            periods = [turn.next for turn in self._turns.values() if turn.period]
            await asyncio.sleep(max(0.0, min([POLL, *(due - time.monotonic() for due in periods)])))

    def _look(self, job: Row) -> None:
        turn = self._turns.setdefault(job["jobid"], Turn())
        now, times = time.monotonic(), job["times"]
        if job["seconds"] != turn.period:
            turn.period, turn.next = job["seconds"], now + (job["seconds"] or 0)
        if turn.period and now >= turn.next:
            turn.next = now + turn.period
            times = 1
        if times and not turn.waiting:
            task = asyncio.create_task(self._run_in_turn(job, turn))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run_in_turn(self, job: Row, turn: Turn) -> None:
        turn.waiting = True
        await self._run(job, turn)

    async def _run(self, job: Row, turn: Turn) -> Row:
        async with turn.lock, self._room:
            turn.waiting = False
            async with AsyncExitStack() as closing:
                records = await closing.enter_async_context(
                    await psycopg.AsyncConnection[Row].connect(
                        self._admin_dsn, autocommit=True, row_factory=dict_row
                    )
                )
                return await self._recorded(job, records, closing)

    async def _recorded(self, job: Row, records: psycopg.AsyncConnection[Row], closing: AsyncExitStack) -> Row:
        """Run the command as the job's user; the details of the run."""
        user: psycopg.AsyncConnection | None = None
        status, said = "succeeded", ""
        dsn = self._dsn_of(job["username"])
        try:
            if dsn is None:
                status = "failed"
                said = f'ERROR:  role "{job["username"]}" is not permitted to log in; here postgres is'
            else:
                user = await closing.enter_async_context(
                    await psycopg.AsyncConnection.connect(
                        make_conninfo(dsn, dbname=job["database"], application_name="pg_cron"), autocommit=True
                    )
                )
        except psycopg.OperationalError as error:
            status, said = "failed", f"connection failed: {error}"
        pid = user.info.backend_pid if user else None
        started = await (
            await records.execute(_START, [job["jobid"], pid, job["database"], job["username"], job["command"]])
        ).fetchone()
        assert started
        runid = started["runid"]
        self._running.add(runid)
        try:
            if user:
                said = await _said(user, job["command"])
        except psycopg.Error as error:
            status, said = "failed", f"ERROR:  {error.diag.message_primary or error}"
        finally:
            self._running.discard(runid)
        finished = await (await records.execute(_FINISH, [status, said, runid])).fetchone()
        return finished or started


async def _said(connection: psycopg.AsyncConnection, command: str) -> str:
    """The last statement's tag, or how many rows it gave."""
    cursor = await connection.execute(command.encode())
    while cursor.nextset():
        pass
    if cursor.description is None:
        return cursor.statusmessage or ""
    return f"{cursor.rowcount} row{'s' if cursor.rowcount != 1 else ''}"
