"""Background work on the database that survives restarts and resets of Postgres."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg

log = logging.getLogger(__name__)

BACKOFF = 0.5  #: seconds between attempts while Postgres is down or being set up


@contextlib.asynccontextmanager
async def following(
    name: str, dsn: str, work: Callable[[psycopg.AsyncConnection], Awaitable[None]]
) -> AsyncIterator[None]:
    """Call `work` with a connection, again whenever it is lost; cancel it at the end of the block."""

    async def follow() -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
                    await work(connection)
            except psycopg.OperationalError as error:
                log.warning("%s: %s", name, type(error).__name__)
            except Exception:  # a bug must not end the work for good
                log.exception(name)
            await asyncio.sleep(BACKOFF)

    task = asyncio.create_task(follow())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
