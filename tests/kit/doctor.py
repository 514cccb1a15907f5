"""A project and a machine in which nothing is wrong yet, and the doctor who looks at them."""

import asyncio
import base64
import json
import os
import re
import secrets
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localstack.client import Stack
from localstack.credentials import Credentials
from localstack.layout import REPOSITORY, Layout
from tests.kit import forked
from tests.kit.database import Db
from tests.kit.worker_process import free_port
from worker.doctor.examination import NAMES, Examination
from worker.doctor.finding import Case, Finding

FALLBACK = """
select vault.create_secret('https://clay.example/functions/v1', 'herald_functions_url');
select vault.create_secret(encode(extensions.gen_random_bytes(32), 'hex'), 'herald_cron_secret');
select herald.schedule_fallback();
"""


def healthy_environment(stack: Stack, state_dir: Path) -> dict[str, str]:
    """What a worker of this project is given."""
    return {
        "PATH": os.environ["PATH"],
        "SUPABASE_URL": stack.url,
        "SUPABASE_SERVICE_KEY": stack.secret_key,
        "ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "API_KEY": secrets.token_hex(32),
        "WORKER_ID": "clay-1",
        "STATE_DIR": str(state_dir),
        "PORT": str(free_port()),
    }


async def examine(
    environ: dict[str, str],
    *,
    only: Collection[str] = NAMES,
    hosts: Sequence[str] = (),
    old_seconds: float = 300,
) -> list[Finding]:
    """All that the doctor finds, as `herald doctor` does it."""
    case = Case(environ=environ, hosts=tuple(hosts), old_seconds=old_seconds)
    return [found async for seen in Examination(case, only).run() for found in seen.findings]


async def herald(environ: dict[str, str], *arguments: str, before: Sequence[str] = ()) -> tuple[int, str]:
    """Run the command as an operator does; exit code and output. before: a command that starts it."""
    environment = {"COLUMNS": "100", **environ}
    if not before:
        return await forked.run("worker.cli", *arguments, environment=environment)
    process = await asyncio.create_subprocess_exec(
        *(*before, sys.executable, "-m", "worker.cli", *arguments),
        cwd=REPOSITORY,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return int(process.returncode or 0), output.decode()


async def herald_json(environ: dict[str, str], *arguments: str, before: Sequence[str] = ()) -> tuple[int, Any]:
    """Run it with --json; exit code and the object."""
    code, output = await herald(environ, *arguments, "--json", before=before)
    begin = re.search(r"^[\[{]", output, re.MULTILINE)
    assert begin, output
    return code, json.loads(output[begin.start() :])


@dataclass(slots=True)
class Project:
    """A stack of the test's own, spoken to as its owner and as the superuser."""

    stack: Stack
    state_dir: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.environment = healthy_environment(self.stack, self.state_dir)

    def complete(self) -> "Project":
        """Switch the fallback on, as docs/functions.md says."""
        self.run(FALLBACK)
        self.complete_functions()
        return self

    def complete_functions(self) -> None:
        """Give the edge functions their secrets."""
        self.stack.set_function_secrets(
            VPS_URL="https://clay.example",
            VPS_API_KEY=self.environment["API_KEY"],
            CRON_SECRET=secrets.token_hex(32),
        )

    @property
    def superuser_url(self) -> str:
        credentials = Credentials.load_or_generate(Layout(self.stack.directory).credentials)
        return credentials.dsn("supabase_admin", self.stack.state.ports["postgres"])

    def run(self, statements: str, *, superuser: bool = False) -> None:
        """Run statements, as `postgres` unless it takes a superuser."""
        with Db.connect(self.superuser_url if superuser else self.stack.database_url, autocommit=True) as db:
            db.connection.execute(statements.encode())

    async def ills(self, *only: str, **options: Any) -> list[Finding]:
        """What the doctor finds in the database, or by other looks."""
        return await examine(self.environment, only=only or ("database",), **options)


def statements_of(finding: Finding) -> list[str]:
    """What an operator runs to follow the fix: the statement in it, or the one that it names in a migration."""
    if finding.fix.endswith(";"):
        return [finding.fix]
    file = re.search(r"supabase/migrations/\w+\.sql", finding.fix)
    named = re.match(r"The (function|view|trigger|policy|index) ([\w.\"]+)", finding.what)
    if not file or not named:
        return []
    end = r"^\$\$;$" if named[1] == "function" else ";"
    created = rf"^create (?:unique |constraint )?{named[1]} {re.escape(named[2])}\b.*?{end}"
    found = re.search(created, (REPOSITORY / file[0]).read_text(), re.DOTALL | re.MULTILINE)
    assert found, finding.fix
    first = re.findall(r"First `(.*?;)`", finding.fix)
    replaces = "create or replace " in finding.fix
    return [*first, found[0].replace("create ", "create or replace ", 1) if replaces else found[0]]


def told(findings: Sequence[Finding]) -> str:
    """All findings as lines, for a failing test to show."""
    return "\n".join(f"{f.severity} {f.topic}: {f.what} → {f.fix}" for f in findings)
