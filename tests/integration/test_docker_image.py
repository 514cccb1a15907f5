"""The Dockerfile, without Docker: what it copies is there, is let through, and is enough to run a worker."""

import ast
import asyncio
import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from localstack.layout import REPOSITORY
from tests.conftest import MakeWorker, until_delivered
from tests.kit.worker_process import Worker
from tests.kit.world import World
from tests.unit.test_runbook import worker_code


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction and the number of its stage, from 0."""

    stage: int
    name: str
    rest: str


def dockerfile() -> list[Instruction]:
    """The Dockerfile's instructions, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (REPOSITORY / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    found: list[Instruction] = []
    stage = -1
    for line in filter(str.strip, text.splitlines()):
        name, _, rest = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, " ".join(rest.split())))
    return found


def last_stage(name: str) -> list[str]:
    """What an instruction says in the stage that becomes the image."""
    instructions = dockerfile()
    return [one.rest for one in instructions if one.name == name and one.stage == instructions[-1].stage]


def copies() -> Iterator[tuple[str, str]]:
    """(source, target folder or file) of every COPY out of this repository into the image."""
    for rest in last_stage("COPY"):
        words = rest.split()
        if not words[0].startswith("--from"):
            yield from ((source, words[-1]) for source in words[:-1])


def environment() -> dict[str, str]:
    """The image's ENV."""
    return dict(word.split("=", 1) for rest in last_stage("ENV") for word in shlex.split(rest))


def test_everything_that_is_copied_is_there_and_let_through() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert "*" in ignored  # all that is not named stays out: secrets, tests, history
    let_through = [line[1:].rstrip("/") for line in ignored if line.startswith("!")]
    of_any_stage = [
        word
        for one in dockerfile()
        if one.name == "COPY" and "--from" not in one.rest
        for word in one.rest.split()[:-1]
    ]
    for source in of_any_stage:
        assert (REPOSITORY / source).exists(), source
        assert source in let_through, source
    assert sorted(let_through) == sorted(of_any_stage)


def test_the_image_is_no_root_has_pinned_packages_and_no_secret() -> None:
    assert last_stage("USER") == ["10001:10001"]
    installs = [one.rest for one in dockerfile() if one.name == "RUN" and "pip install" in one.rest]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert json.loads(last_stage("CMD")[0]) == ["python", "-m", "worker"]  # no shell between it and the signal
    assert last_stage("STOPSIGNAL") == ["SIGTERM"]
    assert not [name for name in environment() if re.search("KEY|SECRET|TOKEN|PASSWORD", name)]
    assert any(environment()["STATE_DIR"].startswith(volume) for volume in json.loads(last_stage("VOLUME")[0]))


def test_the_worker_imports_nothing_that_is_not_installed() -> None:
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", (REPOSITORY / "requirements/runtime.lock").read_text(), re.M))
    names = {name.lower().replace("_", "-").replace(".", "-") for name in locked}
    imported = set()
    for node in worker_code():
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"worker"}
    providers = packages_distributions()
    missing = {
        module
        for module in foreign
        if not {one.lower().replace("_", "-").replace(".", "-") for one in providers.get(module, [])} & names
    }
    assert len(foreign) > 8
    assert missing == set()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The root of a file system with what the image copies."""
    root = tmp_path / "image"
    for source, target in copies():
        to = root / target.lstrip("/")
        to = to / Path(source).name if target.endswith("/") else to
        to.parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(REPOSITORY / source, to)
    return root


async def run_in(image: Path, worker: Worker) -> None:
    """Start the image's command in its folder, with its environment."""
    command = json.loads(last_stage("CMD")[0])[1:]
    with worker.log.open("ab") as log:
        worker.process = await asyncio.create_subprocess_exec(
            *(sys.executable, *command),
            cwd=image / last_stage("WORKDIR")[0].lstrip("/"),
            env=worker.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


async def healthcheck(worker: Worker) -> int:
    """The HEALTHCHECK's command, as Docker runs it; its exit code."""
    words = json.loads(last_stage("HEALTHCHECK")[0].partition("CMD ")[2])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *words[1:]), env=worker.environment, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


async def test_what_the_image_has_runs_sends_stops_in_order_and_writes_nowhere_else(
    world: World, make_worker: MakeWorker, image: Path, tmp_path: Path
) -> None:
    fixed = {name: text for name, text in environment().items() if name not in ("PATH", "PORT", "STATE_DIR")}
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    settings = {**fixed, "HOST": "127.0.0.1", "HOME": str(home), "TMPDIR": str(temporary)}
    # The simulator's launcher comes from the repository; the engine itself from the image, where the worker runs.
    worker = make_worker(**settings, PYTHONPATH=str(REPOSITORY))
    before = {path: path.stat().st_mtime_ns for path in image.rglob("*")}
    await run_in(image, worker)
    recipient = await world.simulator.recipient("491700000031")
    session = await world.link("In a container", "491700000032")
    assert await healthcheck(worker) == 0
    row = {"session_id": session, "recipient_phone": "+491700000031", "message_content": "from the image"}
    await until_delivered(world, await world.schedule([row]))
    assert recipient.times_received("from the image") == 1
    assert worker.process
    for pid in (worker.process.pid, *worker.engines()):
        loaded = Path(f"/proc/{pid}/cwd").resolve()
        assert loaded.is_relative_to(image)
    assert await worker.stop() == 0
    assert await healthcheck(worker) != 0
    assert {path: path.stat().st_mtime_ns for path in image.rglob("*")} == before
    assert list(home.iterdir()) == list(temporary.iterdir()) == []
