"""The settings and the database, for the length of a command."""

import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from worker.logs import configure_logs
from worker.settings import Settings, load_settings
from worker.supabase.client import Database
from worker.supabase.operations import Operations


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Settings, Database]]:
    """Raises SettingsError; the calls raise StoreError if Supabase is away."""
    settings = load_settings()
    configure_logs(settings.log_level)
    database = Database(settings.supabase_url, settings.supabase_service_key.get_secret_value())
    try:
        yield settings, database
    finally:
        await database.aclose()


@asynccontextmanager
async def operations() -> AsyncIterator[Operations]:
    """What the operator may ask and do; the audit names them as user@host."""
    async with connected() as (_, database):
        yield Operations(database, _operator())


def _operator() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
