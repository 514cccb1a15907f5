"""The stand-alone proxy before a worker, as a process of its own."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from localstack.gateway.deno import CACHE, DENO
from localstack.layout import REPOSITORY
from simulator.process import die_with_parent
from tests.kit.api_world import ApiWorld


@asynccontextmanager
async def proxied(place: ApiWorld) -> AsyncIterator[str]:
    """Its address, for the length of the block."""
    process = await asyncio.create_subprocess_exec(
        *(str(DENO), "run", "--quiet", "--config", "supabase/functions/deno.json", "--frozen"),
        *("--allow-net", "--allow-env", "proxy/server.ts"),
        cwd=REPOSITORY,
        env={
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
            "DENO_DIR": str(CACHE),
            "SUPABASE_URL": place.world.stack.url,
            "SUPABASE_PUBLISHABLE_KEY": place.world.stack.publishable_key,
            "VPS_URL": place.url,
            "VPS_API_KEY": place.operator_key,
            "PORT": "0",
        },
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent,
    )
    assert process.stdout
    try:
        async with asyncio.timeout(60):
            line = await process.stdout.readline()
        yield f"http://127.0.0.1:{json.loads(line)['port']}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
