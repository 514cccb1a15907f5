"""cron in the local stack: what pg_cron accepts and refuses, and that jobs really run."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from localstack.client import LocalStack, Stack

DEADLINE = 10.0  # seconds

#: As a hosted migration writes it, more than once.
SETUP = """
create extension if not exists pg_cron with schema pg_catalog;
create extension if not exists pg_cron;
create table public.ticks (by text default current_user, at timestamptz default clock_timestamp());
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("stack"), migrate=False) as stack:
        execute(stack, SETUP)
        yield stack


@pytest.fixture
def db(stack: Stack) -> Iterator[psycopg.Connection]:
    """As `postgres`; rolled back."""
    with psycopg.connect(stack.database_url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url, headers={"apikey": stack.secret_key}) as client:
        yield client


def execute(stack: Stack, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(stack.database_url, autocommit=True, row_factory=dict_row) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


async def run(http: httpx.AsyncClient, job: str) -> dict[str, Any]:
    answer = await http.post("/localstack/cron", json={"run": job})
    details: dict[str, Any] = answer.raise_for_status().json()
    return details


# -- schedules ------------------------------------------------------------------------------------------------


# 2026-11-21 is a Saturday.
@pytest.mark.parametrize(
    ("schedule", "due", "not_due"),
    [
        ("* * * * *", "2026-11-21 10:07", None),
        ("5 4 * * *", "2026-11-21 04:05", "2026-11-21 05:04"),
        ("*/15 9-17 * * 1-5", "2026-11-20 09:45", "2026-11-21 09:45"),
        ("0 0 * * 0", "2026-11-22 00:00", "2026-11-23 00:00"),  # Sunday, not Monday
        ("0 0 * * 7", "2026-11-22 00:00", "2026-11-21 00:00"),
        ("0 0 * * sat", "2026-11-21 00:00", "2026-11-22 00:00"),
        ("0 0 1 jan *", "2027-01-01 00:00", "2026-12-01 00:00"),
        ("0 0 13 * 5", "2026-11-13 00:00", "2026-11-14 00:00"),
        ("0 0 13 * 6", "2026-11-21 00:00", "2026-11-20 00:00"),  # either day suffices
        ("0 0 */2 * 6", "2026-11-21 00:00", "2026-11-14 00:00"),  # with a star both are needed
        ("0 0 $ * *", "2026-02-28 00:00", "2026-02-27 00:00"),
        ("1,3-7/2 * * * *", "2026-11-21 10:05", "2026-11-21 10:04"),
        ("@daily", "2026-11-21 00:00", "2026-11-21 01:00"),
    ],
)
def test_a_schedule_means_what_cron_means(
    db: psycopg.Connection, schedule: str, due: str, not_due: str | None
) -> None:
    db.execute("set local timezone = 'Asia/Kolkata'")  # schedules are in GMT, wherever one asks

    def is_due(moment: str) -> object:
        as_admin = "select cron._due(%s, (%s || '+00')::timestamptz)"
        row = db.execute(as_admin, [schedule, moment]).fetchone()
        return row and row[0]

    assert is_due(due) is True
    assert not_due is None or is_due(not_due) is False


@pytest.mark.parametrize(
    "schedule",
    [
        *("", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8"),
        *("*/0 * * * *", "5/15 * * * *", "9-5 * * * *", "a * * * *", "* * * * montag", "1, * * * *", "-1 * * * *"),
        *("0 seconds", "60 seconds", "1 minute", "1.5 seconds", "every minute", "@fortnightly"),
    ],
)
def test_an_invalid_schedule_is_refused_as_pg_cron_does(db: psycopg.Connection, schedule: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refusal:
        db.execute("select cron.schedule('bad', %s, 'select 1')", [schedule])
    assert refusal.value.diag.message_primary == f"invalid schedule: {schedule}"
    assert "[1-59] seconds" in (refusal.value.diag.message_hint or "")


# -- jobs -----------------------------------------------------------------------------------------------------


def test_the_same_name_replaces_a_job_and_keeps_its_id(db: psycopg.Connection) -> None:
    first = db.execute("select cron.schedule('nightly', '5 4 * * *', 'select 1')").fetchone()
    second = db.execute("select cron.schedule('nightly', '30 SECONDS', 'select 2')").fetchone()
    assert first == second
    kept = "select schedule, command, username, database, active from cron.job where jobname = 'nightly'"
    assert db.execute(kept).fetchall() == [("30 SECONDS", "select 2", "postgres", "postgres", True)]
    assert first
    db.execute("select cron.alter_job(%s, schedule => '1 1 * * *', active => false)", [first[0]])
    assert db.execute(kept).fetchall() == [("1 1 * * *", "select 2", "postgres", "postgres", False)]


def test_a_job_is_unscheduled_by_name_or_id_once(db: psycopg.Connection) -> None:
    made = db.execute("select cron.schedule('* * * * *', 'select 1')").fetchone()
    db.execute("select cron.schedule('nightly', '5 4 * * *', 'select 1')")
    assert made
    assert db.execute("select cron.unschedule(%s::bigint), cron.unschedule('nightly')", made).fetchone() == (
        True,
        True,
    )
    with pytest.raises(psycopg.errors.InternalError_, match="could not find valid entry for job 'nightly'"):
        db.execute("select cron.unschedule('nightly')")


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_only_postgres_schedules(db: psycopg.Connection, role: str) -> None:
    db.execute(f"set local role {role}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("select cron.schedule('mine', '* * * * *', 'select 1')")


@pytest.mark.parametrize(
    "attempt",
    [
        "select cron.schedule_in_database('mine', '* * * * *', 'select 1', 'postgres', 'supabase_admin')",
        "select cron._put('supabase_admin', 'mine', '* * * * *', 'select 1', 'postgres', true)",
        "select cron._remove('supabase_admin', 1, null)",
        "select cron._alter('supabase_admin', 1, null, 'select 1', null, null)",
        "insert into cron.job (schedule, command, username) values ('* * * * *', 'select 1', 'supabase_admin')",
    ],
)
def test_nobody_schedules_as_somebody_above(db: psycopg.Connection, attempt: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute(attempt.encode())


# -- runs -----------------------------------------------------------------------------------------------------


async def test_a_run_is_recorded_with_what_came_of_it(stack: Stack, http: httpx.AsyncClient) -> None:
    execute(stack, "select cron.schedule('tick', '0 0 1 1 *', 'insert into public.ticks default values')")
    execute(
        stack, "select cron.schedule('look', '0 0 1 1 *', 'select session_user, * from generate_series(1, 2)')"
    )
    execute(stack, "select cron.schedule('fail', '0 0 1 1 *', 'select 1 / 0')")
    done = await run(http, "tick")
    assert (done["status"], done["return_message"], done["username"]) == ("succeeded", "INSERT 0 1", "postgres")
    assert done["start_time"] < done["end_time"]
    assert done["job_pid"] > 0
    assert {row["by"] for row in execute(stack, "select by from public.ticks")} == {"postgres"}
    assert (await run(http, "look"))["return_message"] == "2 rows"
    failed = await run(http, "fail")
    assert (failed["status"], failed["return_message"]) == ("failed", "ERROR:  division by zero")
    assert execute(stack, f"select status from cron.job_run_details where runid = {failed['runid']}") == [
        {"status": "failed"}
    ]


async def test_a_job_has_no_more_rights_than_its_user(stack: Stack, http: httpx.AsyncClient) -> None:
    climb = "reset session authorization; reset role; create role intruder superuser"
    execute(stack, f"select cron.schedule('climb', '0 0 1 1 *', '{climb}')")
    failed = await run(http, "climb")
    assert (failed["status"], failed["return_message"]) == ("failed", "ERROR:  permission denied to create role")


async def test_a_job_of_seconds_runs_by_itself_until_it_is_unscheduled(stack: Stack) -> None:
    execute(stack, "truncate public.ticks")
    execute(stack, "select cron.schedule('fast', '1 second', 'insert into public.ticks default values')")
    deadline = time.monotonic() + DEADLINE
    while len(ticks := execute(stack, "select at from public.ticks order by at")) < 3:
        assert time.monotonic() < deadline, ticks
        await asyncio.sleep(0.05)
    execute(stack, "select cron.unschedule('fast')")
    assert (ticks[2]["at"] - ticks[0]["at"]).total_seconds() > 1.5


async def test_jobs_survive_a_killed_postgres_and_gateway(stack: Stack) -> None:
    execute(stack, "select cron.schedule('steady', '1 second', 'insert into public.ticks default values')")
    killed = stack.kill("postgres"), stack.kill("gateway")
    await asyncio.to_thread(stack.await_restart, "postgres", killed[0])
    await asyncio.to_thread(stack.await_restart, "gateway", killed[1])
    execute(stack, "truncate public.ticks")
    deadline = time.monotonic() + DEADLINE
    while not execute(stack, "select 1 from public.ticks"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    execute(stack, "select cron.unschedule('steady')")


async def test_the_trigger_is_the_secret_keys_alone(stack: Stack, http: httpx.AsyncClient) -> None:
    answer = await http.post("/localstack/cron", json={"run": "tick"}, headers={"apikey": stack.publishable_key})
    assert answer.status_code == 403
    assert (await http.post("/localstack/cron", json={"run": "none"})).status_code == 404
