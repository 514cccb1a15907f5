"""What is written in TypeScript is tested in it: the handlers, imported, against servers on loopback."""

import asyncio
import os

import pytest

from localstack.gateway.deno import CACHE, DENO
from localstack.layout import REPOSITORY

CONFIG = ("--config", str(REPOSITORY / "supabase/functions/deno.json"))


@pytest.mark.parametrize("folder", ["proxy", "tests/functions"])
async def test_the_handlers_behave(folder: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(str(DENO), "test", "--quiet", *CONFIG, "--allow-all", folder),
        cwd=REPOSITORY,
        env={**os.environ, "DENO_DIR": str(CACHE), "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert " passed" in said.decode()
