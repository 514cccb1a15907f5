"""The same on Debian's Postgres 15: real pg_cron, pgTAP, plpgsql_check, and the SQL tests of the other lane.

`scripts/lane15` installs it and runs these; in CI the tests install it themselves.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from localstack.client import LocalStack, Stack
from localstack.credentials import Credentials
from localstack.layout import REPOSITORY, Layout
from localstack.migrations import migrate
from tests.kit.database import Db, Row
from tests.lane15 import debian
from tests.sql.projects.folders import documented_adapter, with_adapter
from tests.sql.projects.test_own_crm import CRM

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]
PGTAP = Path(__file__).with_name("pgtap")
EXTENSIONS = """
create extension if not exists plpgsql_check schema extensions;
create extension if not exists pgtap schema extensions;
create extension if not exists pg_cron with schema pg_catalog;
create extension if not exists pg_net;
"""
FINDINGS = """
select concat(
  p.oid::regprocedure, ':', r.lineno, ' ', concat_ws('; ', r.level, r.message, r.detail, r.context)
) as said
from pg_proc as p
join pg_language as l on l.oid = p.prolang and l.lanname = 'plpgsql'
left join lateral (
  select distinct g.tgrelid, g.tgoldtable, g.tgnewtable from pg_trigger as g
  where g.tgfoid = p.oid and not g.tgisinternal
) as t on true
cross join lateral extensions.plpgsql_check_function_tb(
  p.oid, coalesce(t.tgrelid, 0), fatal_errors => false, extra_warnings => true, security_warnings => true,
  oldtable => t.tgoldtable, newtable => t.tgnewtable
) as r
where p.pronamespace::regnamespace::text in ('public', 'herald')
  and (p.prorettype <> 'trigger'::regtype or t.tgrelid is not null)
"""
#: What plpgsql_check says and we don't follow, and why.
ALLOWED = {
    r'cast "text" value to "[\w.\[\]]+" type.*; during statement block local variable "\w+" initialization': (
        "x jsonb := '{}' in a declaration: a constant, which the type's own input reads"
    ),
    r"^herald\.(refuse|row_policy_refuses|word_refusals)\(.*text type variable is not sanitized": (
        "what they execute are the catalog's own expressions of constraints and policies; values go in as parameters"
    ),
}


@pytest.fixture(scope="module")
def postgres15() -> Iterator[None]:
    """From here on, stacks run on Postgres 15."""
    try:
        debian.provide(may_install=bool(os.environ.get("CI")))
    except debian.NotInstalledError as missing:
        pytest.skip(str(missing))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSTACK_POSTGRES", str(debian.program_files()))
        yield


@pytest.fixture(scope="module")
def stack15(postgres15: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:  # noqa: ARG001
    with LocalStack.start(tmp_path_factory.mktemp("lane15")) as stack:
        yield stack


@contextmanager
def as_superuser(stack: Stack) -> Iterator[Db]:
    """With plpgsql_check and pgTAP, which a hosted project's postgres can't create; the fallback's too."""
    credentials = Credentials.load_or_generate(Layout(stack.directory).credentials)
    with Db.connect(credentials.dsn("supabase_admin", stack.state.ports["postgres"]), autocommit=True) as db:
        db.run(EXTENSIONS)
        yield db


@pytest.fixture(scope="module")
def superuser(stack15: Stack) -> Iterator[Db]:
    with as_superuser(stack15) as db:
        yield db


def check_functions(db: Db) -> None:
    assert db.value("select current_setting('server_version_num')::int / 10000") == 15
    said = [row["said"] for row in db.rows(FINDINGS)]
    allowed = {pattern: [line for line in said if re.search(pattern, line)] for pattern in ALLOWED}
    found = set(said).difference(*allowed.values())
    assert not found, "\n".join(sorted(found))
    assert [pattern for pattern, lines in allowed.items() if not lines] == [], "not needed any more"


def test_every_function_passes_plpgsql_check(superuser: Db) -> None:
    check_functions(superuser)


def test_no_function_needs_columns_that_another_crm_lacks(
    postgres15: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("own-crm")
    with LocalStack.start(folder / "stack", migrate=False) as stack:
        with Db.connect(stack.database_url, autocommit=True) as crm:
            crm.connection.execute(CRM)
        migrate(stack.database_url, with_adapter(folder / "migrations", documented_adapter()))
        with as_superuser(stack) as db:
            check_functions(db)


def tap(connection: psycopg.Connection[Row], script: str) -> list[str]:
    """The lines of a pgTAP script that runs in a transaction which is rolled back."""
    lines: list[str] = []
    cursor = connection.execute(f"begin;\n{script}\nrollback;")
    while True:
        if cursor.description:
            lines += [str(value) for row in cursor.fetchall() for value in row.values()]
        if not cursor.nextset():
            return lines


def test_pgtap_agrees(stack15: Stack, superuser: Db) -> None:
    assert superuser.value("select count(*) from pg_extension where extname = 'pgtap'") == 1
    world = (PGTAP / "world.sql").read_text()
    files = sorted(set(PGTAP.glob("*.sql")) - {PGTAP / "world.sql"})
    passed, failed = 0, []
    for file in files:
        with Db.connect(stack15.database_url, autocommit=True) as db:
            lines = tap(db.connection, f"{world}\nselect no_plan();\n{file.read_text()}\nselect * from finish();")
        passed += sum(line.startswith("ok ") for line in lines)
        failed += [f"{file.name}: {line}" for line in lines if re.match(r"not ok|# ", line)]
    assert not failed, "\n".join(failed)
    assert passed > 150


def test_pg_cron_runs_a_job_as_postgres(stack15: Stack) -> None:
    with Db.connect(stack15.database_url, autocommit=True) as db:
        db.run("create extension if not exists pg_cron with schema pg_catalog")
        assert db.value("select extversion from pg_extension where extname = 'pg_cron'") == "1.4-1"
        job = db.value("select cron.schedule('lane', '* * * * *', 'select public.whatsapp_reap()')")
        assert db.row("select schedule, command, username, active from cron.job where jobid = %s", job) == {
            "schedule": "* * * * *",
            "command": "select public.whatsapp_reap()",
            "username": "postgres",
            "active": True,
        }
        details: list[Row] = []
        deadline = time.monotonic() + 75
        while not details and time.monotonic() < deadline:
            time.sleep(0.5)  # pg_cron tells nobody when it has run
            details = db.rows("select * from cron.job_run_details where jobid = %s and end_time is not null", job)
        assert [(run["status"], run["return_message"]) for run in details] == [("succeeded", "SELECT 1")]


def test_the_sql_tests_pass_on_postgres_15(postgres15: None) -> None:  # noqa: ARG001
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not full", "tests/sql"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=570,
    )
    assert result.returncode == 0, result.stdout[-6000:]
