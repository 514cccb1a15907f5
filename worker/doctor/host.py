"""The machine, except the state folder: limits, the port, other workers."""

import errno
import fcntl
import os
import resource
import socket
from collections.abc import Iterator

import httpx

from worker.doctor.finding import Case, Finding, error, warning
from worker.settings import Settings

#: Open files of the worker itself, and per account in an engine (socket, store, journal, locks; measured: 6).
_BASE_FILES, _ACCOUNT_FILES = 768, 10

#: A worker that has not reported for this long has lost its leases, seconds.
_LIVING = 20.0


def open_files(case: Case) -> Iterator[Finding]:
    """The limit of open files, which engines and sockets count against."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _BASE_FILES + _ACCOUNT_FILES * case.set.engine_shard_size
    if soft != resource.RLIM_INFINITY and soft < needed:
        size = case.set.engine_shard_size
        raised = hard == resource.RLIM_INFINITY or hard >= needed
        yield error(
            "open-files",
            f"A process may have {soft} files open; an engine of {size} accounts needs {needed}.",
            f"ulimit -n {needed}  # where the worker is started"
            if raised
            else "LimitNOFILE=65536 in the systemd unit, or nofile in /etc/security/limits.conf",
        )


def runs_here(settings: Settings) -> bool:
    """Whether a worker holds the state folder."""
    try:
        with (settings.state_dir / "worker.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as problem:
        return problem.errno in (errno.EAGAIN, errno.EACCES)
    return False


async def port(case: Case) -> list[Finding]:
    """PORT: the worker that runs here answers on it, or it is free."""
    settings = case.set
    topic, address = "PORT", f"{settings.host}:{settings.port}"
    if runs_here(settings):
        return await _answers(address.replace("0.0.0.0", "127.0.0.1"))  # noqa: S104 - asked, not bound
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if getattr(settings, "reuse_port", False):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as problem:
            why = os.strerror(problem.errno) if problem.errno else "no such address"
            find = f"ss -ltnp 'sport = :{settings.port}'  # shows who has it; or choose another PORT"
            return [error(topic, f"The worker can't listen on {address} ({why}).", find)]
    return []


async def _answers(address: str) -> list[Finding]:
    restart = "pm2 restart herald"
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=3) as http:
            health = (await http.get(f"http://{address}/health")).json()
    except (httpx.HTTPError, ValueError):
        return [error("PORT", f"A worker runs here and does not answer on {address}.", restart)]
    if not health.get("ready"):
        return [
            error(
                "worker", "The worker here is not ready, because Supabase does not answer it.", "pm2 logs herald"
            )
        ]
    return []


def worker_id(case: Case) -> Iterator[Finding]:
    """WORKER_ID: nobody else uses it."""
    name = case.set.worker_id
    alive = [worker for worker in case.workers if worker.worker_id == name and worker.seconds < _LIVING]
    if alive and not runs_here(case.set):
        yield warning(
            "WORKER_ID",
            f"A worker called {name} runs with another STATE_DIR. Two workers with one name stop each other.",
            f"WORKER_ID={name}-2  # each worker needs its own name",
        )
