"""Which Supabase a world stands on: a local stack of its own, or the project that the environment names.

With SUPABASE_URL, SUPABASE_SERVICE_KEY, SUPABASE_PUBLISHABLE_KEY and DATABASE_URL set (a project of your own that
is only for tests, or ``supabase start``), the same scripts and tests run against it, once it is migrated.
"""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from localstack.client import LocalStack, Stack

_NAMES = ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SERVICE_KEY", "DATABASE_URL")


def named_project(environ: Mapping[str, str] = os.environ) -> Stack | None:
    """The project of the environment; None if it names none. Raises ValueError if it names a part of one."""
    given = [name for name in _NAMES if environ.get(name)]
    if "SUPABASE_URL" not in given:
        return None
    if missing := sorted(set(_NAMES) - set(given)):
        raise ValueError(f"SUPABASE_URL is set, so set {', '.join(missing)} too, or unset it for a local stack")
    url, publishable, secret, database = (environ[name] for name in _NAMES)
    return Stack(
        url=url,
        publishable_key=publishable,
        secret_key=secret,
        database_url=database,
        directory=Path(),
    )


@asynccontextmanager
async def project(directory: Path) -> AsyncIterator[Stack]:
    """The named project, or a local stack in this directory for the length of the block."""
    if named := named_project():
        yield named
    else:
        async with LocalStack.start(directory) as stack:
            yield stack
