"""What a deploy uploads is all that the functions need."""

import asyncio
import json
import os
import shutil
import tomllib
from pathlib import Path

import httpx
import pytest

from localstack.client import LocalStack
from localstack.gateway.deno import CACHE, DENO
from localstack.layout import REPOSITORY
from tests.functions.conftest import ORIGIN
from tests.kit.crm import Crm
from tests.kit.vps import KEY, Vps

SUPABASE = REPOSITORY / "supabase"
FUNCTIONS = sorted(path.parent.name for path in SUPABASE.glob("functions/*/index.ts"))
#: The hosted bundler refuses a lock file of a later version: https://github.com/supabase/edge-runtime/issues/615
BUNDLERS_LOCK_VERSION = 4


def test_the_platform_leaves_the_jwt_to_each_function() -> None:
    """The platform's own check has refused valid tokens of projects that sign with ES256."""
    config = tomllib.loads((SUPABASE / "config.toml").read_text())["functions"]
    assert {name: entry["verify_jwt"] for name, entry in config.items()} == dict.fromkeys(FUNCTIONS, False)


def test_the_lock_file_is_of_a_version_that_the_hosted_bundler_reads() -> None:
    locks = [*SUPABASE.rglob("deno.lock")]
    assert locks
    assert [lock for lock in locks if int(json.loads(lock.read_text())["version"]) > BUNDLERS_LOCK_VERSION] == []


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_a_function_imports_pinned_packages_and_files_that_are_deployed(name: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(str(DENO), "info", "--json", "--no-lock", "--config", str(SUPABASE / "functions" / name / "deno.json")),
        str(SUPABASE / "functions" / name / "index.ts"),
        env={**os.environ, "DENO_DIR": str(CACHE)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    modules = [module["specifier"] for module in json.loads(said)["modules"]]
    local = [module for module in modules if module.startswith("file:")]
    assert [module for module in local if not module.startswith(f"file://{SUPABASE}/functions/")] == []
    assert {module for module in modules if module not in local} <= {"npm:/jose@6.2.18"}


async def test_the_functions_run_from_a_copy_of_the_folder_alone(tmp_path: Path, vps: Vps) -> None:
    copy = tmp_path / "project/supabase"
    shutil.copytree(SUPABASE, copy)
    async with LocalStack.start(
        tmp_path / "stack", migrations=copy / "migrations", functions=copy / "functions"
    ) as stack:
        stack.set_function_secrets(VPS_URL=vps.url, VPS_API_KEY=KEY, ALLOWED_ORIGINS=ORIGIN)
        crm = await Crm.found(stack)
        answer = await crm.call("proxy-whatsapp-vps/api/groups", "member")
        assert (answer.status_code, answer.json()) == (200, {"answered": "/api/groups"})
        async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as http:
            for name in FUNCTIONS:
                asked = await http.options(f"/functions/v1/{name}/api/groups", headers={"Origin": ORIGIN})
                assert (name, asked.status_code, asked.headers["x-request-id"] != "") == (name, 204, True)
