"""The real PM2 with a home of its own and the repository's ecosystem.config.js, as an operator runs it."""

import asyncio
import json
import os
import shutil
import signal
import socket
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from localstack.kept_logs import keep_logs
from localstack.layout import REPOSITORY
from tests.kit.worker_process import until
from tests.kit.world import World

_PM2 = REPOSITORY / "node_modules" / "pm2" / "bin" / "pm2"


def free_ports(count: int) -> int:
    """The first of so many loopback ports in a row that nobody listens on now."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first = int(probe.getsockname()[1])
        with suppress(OSError, OverflowError):
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first


@dataclass(frozen=True, slots=True)
class Process:
    """A worker as PM2 lists it. pid: 0 if none runs.  restarts: since it was first started."""

    name: str
    pid: int
    status: str
    restarts: int
    exit_code: int | None


class Pm2:
    """One PM2 daemon; its workers have the world's settings, from a file, and change them by ``configure``."""

    def __init__(self, world: World, worker_id: str, *, workers: int = 1, **settings: str) -> None:
        given = dict(world.make_worker(worker_id, **settings).environment)
        shell = ("PATH", "HOME", "LANG", "TMPDIR")
        self.shell: dict[str, str] = {name: given.pop(name) for name in shell if name in given}
        #: Sockets lie in it, whose paths may have 107 characters.
        self.home = Path(tempfile.mkdtemp(prefix="herald-pm2-"))
        self.env_file = self.home / "herald.env"
        self.logs = self.home / "worker-logs"
        self.settings = {
            **given,
            "PORT": str(free_ports(workers)),
            "HERALD_WORKERS": str(workers),
            "HERALD_LOG_DIR": str(self.logs),
        }
        self.shell |= {"PM2_HOME": str(self.home), "HERALD_ENV_FILE": str(self.env_file)}
        self.configure()

    def configure(self, **changes: str) -> None:
        """Write the settings' file anew."""
        self.settings |= changes
        lines = [f'{name}="{text}"\n' for name, text in self.settings.items()]
        self.env_file.write_text("".join(lines))
        self.env_file.chmod(0o600)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.run("kill")
        keep_logs(self.home)
        shutil.rmtree(self.home, ignore_errors=True)

    async def run(self, *words: str, seconds: float = 90) -> str:
        """A command of PM2's; what it printed. Raises RuntimeError if it fails, TimeoutError."""
        process = await asyncio.create_subprocess_exec(
            *("node", str(_PM2), *words),
            cwd=REPOSITORY,
            env=self.shell,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise RuntimeError(f"pm2 {' '.join(words)}: {out.decode()}")
        return out.decode()

    async def start(self) -> None:
        """``pm2 start ecosystem.config.js``; returns when the workers are ready or have ended."""
        await self.run("start", "ecosystem.config.js")

    async def processes(self) -> list[Process]:
        """What ``pm2 jlist`` lists, by name."""
        listed: list[dict[str, Any]] = json.loads((await self.run("jlist", "--silent")).splitlines()[-1])
        return sorted(
            (
                Process(
                    name=one["name"],
                    pid=int(one["pid"] or 0),
                    status=one["pm2_env"]["status"],
                    restarts=one["pm2_env"]["restart_time"],
                    exit_code=one["pm2_env"].get("exit_code"),
                )
                for one in listed
            ),
            key=lambda process: process.name,
        )

    async def process(self) -> Process:
        """The only worker."""
        [only] = await self.processes()
        return only

    async def until_process(self, what: str, *, seconds: float = 30, **facts: object) -> Process:
        """Wait until the only worker's facts are these."""

        async def look() -> Process | None:
            process = await self.process()
            return process if all(getattr(process, name) == fact for name, fact in facts.items()) else None

        return await until(look, seconds, what)

    async def kill_daemon(self) -> None:
        """SIGKILL PM2 itself, and wait until it is gone."""
        pid = int((self.home / "pm2.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        await until_ended(pid, 5)

    def log_lines(self, name: str = "herald-1") -> list[dict[str, Any]]:
        """A worker's log, all files of it, the oldest line first."""
        full = sorted(self.logs.glob(f"{name}.log.*"), key=lambda one: -int(one.suffix[1:]))
        lines = [line for file in [*full, self.logs / f"{name}.log"] for line in file.read_text().splitlines()]
        return [json.loads(line) for line in lines]

    def start_log(self, name: str = "herald-1") -> str:
        """What a worker said that could not start."""
        return (self.logs / f"{name}.start.log").read_text()


def _lives(pid: int) -> bool:
    """Whether a process is there and not a zombie that its parent has not waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until_ended(pid: int, seconds: float) -> None:
    """Wait for the end of a process that is no child of ours."""

    async def gone() -> bool | None:
        return None if _lives(pid) else True

    await until(gone, seconds, f"the end of process {pid}")


_READY = """
select count(*) from herald.session_leases as l join herald.workers as w using (run_id)
where l.ready and l.expires_at > now() and l.session_id = any(%s::uuid[]) and w.started_at > %s
"""


async def moment(world: World) -> datetime:
    """The database's time."""
    row = await world.row("select clock_timestamp() as now")
    assert row
    now: datetime = row["now"]
    return now


async def until_serving(
    world: World, sessions: list[str], seconds: float = 30, *, since: datetime | None = None
) -> None:
    """Wait until every one of the sessions can send, on whichever worker; on one that started after ``since``."""

    async def look() -> bool | None:
        row = await world.row(_READY, sessions, since or datetime.min.replace(tzinfo=UTC))
        return True if row and row["count"] == len(sessions) else None

    await until(look, seconds, f"{len(sessions)} sessions that can send")
