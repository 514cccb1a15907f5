"""The local stack's processes: nothing outlives it, what dies comes back, stacks don't meet."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from localstack.client import LocalStack, Stack
from localstack.layout import REPOSITORY, LocalStackError
from localstack.ports import free_ports

DEADLINE = 10.0  # seconds

NOTES = "create table public.notes (id int); grant select, insert on public.notes to service_role;"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("stack"), migrate=False) as stack:
        execute(stack, NOTES)
        execute(stack, "insert into public.notes values (1)")
        yield stack


def execute(stack: Stack, query: str) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(query.encode())


async def eventually(observe: Callable[[], bool], what: str) -> None:
    """For other processes' ends, which nobody tells us of."""
    deadline = time.monotonic() + DEADLINE
    while not observe():
        assert time.monotonic() < deadline, f"not within {DEADLINE} s: {what}"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("child", ["postgres", "postgrest", "gateway"])
async def test_a_killed_child_comes_back_at_its_port_with_its_data(stack: Stack, child: Any) -> None:
    await asyncio.to_thread(stack.await_restart, child, stack.kill(child))
    deadline = time.monotonic() + DEADLINE
    async with httpx.AsyncClient(base_url=stack.url, headers={"apikey": stack.secret_key}) as client:
        # PostgREST's readiness may still speak of its connections before the crash: it says 503 then, as hosted.
        while (answer := await client.get("/rest/v1/notes")).status_code == 503:
            assert time.monotonic() < deadline, answer.text
            await asyncio.sleep(0.05)
    assert answer.json() == [{"id": 1}]


async def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    async with LocalStack.start(tmp_path / "doomed", migrate=False) as doomed:
        family = descendants(doomed.state.supervisor)
        assert len(family) >= 3 + 5  # with Postgres's own processes
        os.kill(doomed.state.supervisor, signal.SIGKILL)
        await eventually(lambda: not any(alive(pid) for pid in family), "all children gone")


async def test_two_stacks_share_nothing(stack: Stack, tmp_path: Path) -> None:
    async with LocalStack.start(tmp_path / "other", migrate=False) as other:
        assert set(other.state.ports.values()).isdisjoint(stack.state.ports.values())
        async with httpx.AsyncClient(base_url=other.url) as client:
            answer = await client.get("/rest/v1/", headers={"apikey": stack.secret_key})
        assert answer.status_code == 401


async def test_a_port_that_another_starting_stack_chose_is_not_chosen_again() -> None:
    [chosen] = free_ports("gateway").values()  # this process is the other stack; nobody listens there yet
    choose = f"from localstack.ports import free_ports; print(free_ports('a', preferred={{'a': {chosen}}})['a'])"
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", choose), cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await other.communicate()
    assert int(said) not in (0, chosen)


async def test_reset_gives_a_fresh_database_with_the_migrations(tmp_path: Path) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "20260101000000_notes.sql").write_text(NOTES)
    async with LocalStack.start(tmp_path / "stack", migrations=migrations) as stack:
        execute(stack, "insert into public.notes values (1)")
        await asyncio.to_thread(stack.reset)
        with psycopg.connect(stack.database_url) as connection:
            assert connection.execute("select count(*) from public.notes").fetchone() == (0,)


async def test_a_broken_migration_is_told_in_the_words_of_the_cli(tmp_path: Path) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "20260101000000_typo.sql").write_text("create tabel notes ();")
    with pytest.raises(LocalStackError, match='syntax error at or near "tabel"'):
        async with LocalStack.start(tmp_path / "stack", migrations=migrations):
            pass


def descendants(pid: int) -> set[int]:
    family = {pid}
    parents = {int(path.name): parent_of(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {pid}


def parent_of(pid: int) -> int | None:
    return int(fields[1]) if (fields := stat_of(pid)) else None


def alive(pid: int) -> bool:
    """A zombie that nobody has reaped is dead."""
    return bool(fields := stat_of(pid)) and fields[0] not in "ZX"


def stat_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
