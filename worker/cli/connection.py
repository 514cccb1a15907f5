"""The settings and the database, for the length of a command."""

import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from worker.logs import configure_logs
from worker.settings import Settings, load_settings
from worker.supabase.operations import Operations
from worker.supabase.rpc import Rpc


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Settings, Rpc]]:
    """Raises SettingsError; the calls raise StoreError if Supabase is away."""
    settings = load_settings()
    configure_logs(settings.log_level)
    rpc = await Rpc.connect(settings.supabase_url, settings.supabase_service_key.get_secret_value())
    try:
        yield settings, rpc
    finally:
        await rpc.aclose()


@asynccontextmanager
async def operations() -> AsyncIterator[Operations]:
    """What the operator may ask and do; the audit names them as user@host."""
    async with connected() as (_, rpc):
        yield Operations(rpc, _operator())


def _operator() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
