"""A worker that can't start says in one line which setting is wrong and what to do."""

import asyncio
import fcntl
import json
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from localstack.client import LocalStack, Stack
from localstack.layout import REPOSITORY
from tests.kit.worker_process import free_port
from tests.kit.world import World
from worker.__main__ import Exit
from worker.supabase.client import PATIENCE_SECONDS

#: A worker that can't start has ended by then, seconds.
PROMPT = 12.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a program wrote before it ended."""

    out: str
    error: str
    code: int


async def run_worker(environment: Mapping[str, str], seconds: float = PROMPT) -> Said:
    """Run ``python -m worker`` to its end, which must come in so many seconds."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker"),
        cwd=REPOSITORY,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, error = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise
    return Said(out.decode(), error.decode(), process.returncode or 0)


async def complains(environment: Mapping[str, str], *words: str, code: Exit = Exit.SETTINGS) -> None:
    """Expect one line that has all the words, no secret, and the exit code by which PM2 knows what to do."""
    said = await run_worker(environment)
    assert said.code == code
    assert said.out == ""
    assert said.error.count("\n") == 1, said.error
    assert said.error.startswith("herald: ")
    for word in words:
        assert word in said.error
    for name in ("SUPABASE_SERVICE_KEY", "ENCRYPTION_KEY"):
        assert not environment.get(name) or environment[name] not in said.error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A state folder as a running worker holds it."""
    folder.mkdir(parents=True)
    with (folder / "worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def environment(world: World) -> dict[str, str]:
    """A worker's environment in which nothing is wrong yet."""
    return dict(world.make_worker(f"bad-{secrets.token_hex(3)}").environment)


@pytest.fixture(scope="module")
async def empty_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack whose database has no migration applied."""
    async with LocalStack.start(tmp_path_factory.mktemp("empty") / "stack", migrate=False) as stack:
        yield stack


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("SUPABASE_URL", "", "the project's URL"),
        ("SUPABASE_URL", "not a url", "such as https://"),
        ("SUPABASE_SERVICE_KEY", "", "secret key"),
        ("ENCRYPTION_KEY", "", "openssl rand -base64 32"),
        ("ENCRYPTION_KEY", "c2hvcnQ=", "openssl rand -base64 32"),
        ("PORT", "http", "a port from 1 to 65535"),
        ("STATE_DIR", "relative", "an absolute path"),
        ("LOG_FILE", "/no/such/folder/herald.log", "a writable folder"),
        ("ENGINE_COMMAND", "/no/such/program", "can't be started"),
    ],
)
async def test_a_missing_or_malformed_setting_is_named_with_its_remedy(
    environment: dict[str, str], name: str, value: str, remedy: str
) -> None:
    await complains({**environment, name: value}, name, remedy)


@pytest.mark.full  # a key that is refused gets a minute; tests/unit/test_supabase_client.py has the clock in its hand
@pytest.mark.parametrize(
    "key", ["sb_secret_" + "x" * 31, "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.bm8", "nonsense"]
)
async def test_a_wrong_service_key_is_named(environment: dict[str, str], key: str) -> None:
    said = await run_worker({**environment, "SUPABASE_SERVICE_KEY": key}, PATIENCE_SECONDS + PROMPT)
    last = said.error.splitlines()[-1]
    assert (said.code, last.startswith("herald: SUPABASE_SERVICE_KEY")) == (Exit.SETTINGS, True), said.error
    assert "copy the secret key of this project" in last
    assert "key_refused" in said.out + said.error
    assert key not in said.out + said.error


async def test_the_publishable_key_is_told_from_the_secret_one(environment: dict[str, str], world: World) -> None:
    settings = {**environment, "SUPABASE_SERVICE_KEY": world.stack.publishable_key}
    await complains(settings, "SUPABASE_SERVICE_KEY", "not a secret key")


async def test_an_unreachable_supabase_is_told_at_once(environment: dict[str, str]) -> None:
    begun = time.monotonic()
    away = {**environment, "SUPABASE_URL": f"http://127.0.0.1:{free_port()}"}
    await complains(away, "SUPABASE_URL", "check", code=Exit.LATER)
    assert time.monotonic() - begun < 10


@pytest.mark.full  # it waits for the time limit of a start
async def test_a_supabase_that_never_answers_is_told_in_time(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        await complains({**environment, "SUPABASE_URL": url}, "SUPABASE_URL", "check", code=Exit.LATER)


async def test_a_url_that_is_no_supabase_is_told(environment: dict[str, str], world: World) -> None:
    no_supabase = {**environment, "SUPABASE_URL": world.simulator.endpoint.control_url}
    await complains(no_supabase, "SUPABASE_URL", "check", code=Exit.LATER)


async def test_a_database_without_migrations_is_told(environment: dict[str, str], empty_stack: Stack) -> None:
    settings = {"SUPABASE_URL": empty_stack.url, "SUPABASE_SERVICE_KEY": empty_stack.secret_key}
    await complains({**environment, **settings}, "SUPABASE_URL", "not migrated", "supabase db push")


async def test_a_port_in_use_is_named(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        await complains({**environment, "PORT": port}, "PORT", port, "choose a free one", code=Exit.LATER)


async def test_a_state_folder_in_use_is_named(environment: dict[str, str]) -> None:
    with locked(Path(environment["STATE_DIR"])):
        await complains(environment, "STATE_DIR", "another worker runs on it", code=Exit.LATER)


async def test_a_state_folder_that_can_not_be_made_is_named(environment: dict[str, str]) -> None:
    await complains({**environment, "STATE_DIR": "/dev/null/state"}, "STATE_DIR", "writable folder")


async def test_a_bad_port_leaves_a_running_worker_of_that_name_alone(
    world: World, environment: dict[str, str]
) -> None:
    run = "select run_id from herald.workers where worker_id = %s"
    worker = world.make_worker(environment["WORKER_ID"])
    await worker.start()
    try:
        await worker.until_serving(0)
        before = await world.row(run, worker.worker_id)
        settings = {**environment, "PORT": str(worker.port), "STATE_DIR": f"{environment['STATE_DIR']}-2"}
        await complains(settings, "PORT", code=Exit.LATER)
        assert await world.row(run, worker.worker_id) == before is not None
    finally:
        code = await worker.stop()
    assert code == 0


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
async def test_a_worker_that_is_stopped_while_it_starts_ends_in_order(
    environment: dict[str, str], sign: signal.Signals
) -> None:
    connected = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as silent:
        url = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker"),
            cwd=REPOSITORY,
            env={**environment, "SUPABASE_URL": url},
            stderr=asyncio.subprocess.PIPE,
        )
        await asyncio.wait_for(connected.wait(), PROMPT)
        process.send_signal(sign)
        _, told = await asyncio.wait_for(process.communicate(), PROMPT)
    assert process.returncode == Exit.STOPPED
    assert [json.loads(line)["event"] for line in told.splitlines()] == ["worker_stopped"]
