"""The port on which the API is served."""

import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from worker.errors import InUse, SettingsError

#: When the worker stops: how long calls under way may take to end, seconds; waits end at once.
CALLS_END_SECONDS = 5.0


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int, *, reuse_port: bool) -> AsyncIterator[None]:
    """Serve for the length of the block; at its end calls under way are answered. Raises InUse, SettingsError.

    reuse_port: other workers of this host may listen on the port too, and the kernel shares the connections out.
    """
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CALLS_END_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, reuse_port=reuse_port).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "no such address"
            kind = InUse if error.errno == errno.EADDRINUSE else SettingsError
            raise kind(f"PORT: {port} can't be listened on ({why}); choose a free one") from None
        yield
    finally:
        await runner.cleanup()
