"""Where a stack's files are, and the state that its supervisor publishes.

DIR (private to the user)         env, credentials.json, functions.env, state.json, lock, logs/
/var/tmp/herald-localstack-…      the database and Storage's bytes: Postgres won't run as root, so root's
                                  stacks need a place that `nobody` can reach, outside root's home
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

from localstack.kept_logs import keep_logs

REPOSITORY = Path(__file__).resolve().parent.parent
SCRATCH = Path("/var/tmp")  # noqa: S108  the directories below are checked for their owner

OWNER = "belongs-to"  #: in a database's directory: the stack's directory
_DATABASES = f"herald-localstack-{os.getuid()}-"


class LocalStackError(Exception):
    """The stack can't do this; the text says why and what to do."""


class Phase(StrEnum):
    STARTING = "starting"  #: not every child has answered yet
    READY = "ready"  #: all children answered
    DEGRADED = "degraded"  #: a child died and is coming back
    RESETTING = "resetting"  #: the database is being created again
    FAILED = "failed"  #: `error` says why; the supervisor has ended or ends
    STOPPED = "stopped"  #: ended in order


@dataclass(slots=True, kw_only=True)
class ChildState:
    pid: int = 0  #: 0 while it isn't running
    ready: bool = False
    restarts: int = 0


@dataclass(slots=True, kw_only=True)
class State:
    """What `state.json` says; no secrets."""

    phase: Phase = Phase.STOPPED
    error: str = ""
    supervisor: int = 0
    url: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    children: dict[str, ChildState] = field(default_factory=dict)
    resets: int = 0

    @classmethod
    def from_json(cls, text: str) -> "State":
        values = json.loads(text)
        values["phase"] = Phase(values["phase"])
        values["children"] = {name: ChildState(**child) for name, child in values["children"].items()}
        return cls(**values)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one stack. `directory` is absolute."""

    directory: Path

    @classmethod
    def at(cls, directory: Path | str) -> "Layout":
        return cls(Path(directory).resolve())

    @property
    def env(self) -> Path:
        return self.directory / "env"

    @property
    def credentials(self) -> Path:
        return self.directory / "credentials.json"

    @property
    def function_secrets(self) -> Path:
        """NAME=value lines, in place of `supabase secrets set`."""
        return self.directory / "functions.env"

    @property
    def state(self) -> Path:
        return self.directory / "state.json"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def database(self) -> Path:
        """Short, because a Unix socket's path lies below it and may have 107 bytes."""
        name = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:12]
        return SCRATCH / f"{_DATABASES}{name}"

    @property
    def storage(self) -> Path:
        """Storage's bytes, beside the database with their rows, so that both are removed together."""
        return self.database / "storage"

    def read_state(self) -> State:
        """The state that the supervisor published last; STOPPED if none runs."""
        try:
            state = State.from_json(self.state.read_text())
        except FileNotFoundError:
            return State()
        if not self.supervised() and state.phase is not Phase.FAILED:
            state.phase = Phase.STOPPED
        return state

    def write_state(self, state: State) -> None:
        write_private(self.state, state.to_json())

    def supervised(self) -> bool:
        """Whether a supervisor holds this directory now."""
        try:
            with (self.directory / "lock").open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def hold(self) -> IO[bytes]:
        """Lock the directory until this process ends. Raises LocalStackError if a stack runs there."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)
        file = (self.directory / "lock").open("wb")
        for _ in range(20):  # a caller of `supervised` holds it for a moment
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            time.sleep(0.01)
        file.close()
        raise LocalStackError(f"A stack already runs in {self.directory}; `down` stops it.")

    def remove(self) -> None:
        """Remove everything that the stack left, and `directory` itself if nothing else is in it."""
        keep_logs(self.logs)
        for directory in (self.database, self.logs):
            shutil.rmtree(directory, ignore_errors=True)
        for file in (self.env, self.credentials, self.function_secrets, self.state, self.directory / "lock"):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()


def remove_abandoned_databases() -> None:
    """Remove the databases of stacks whose directory is gone, such as a test run's that was killed."""
    for database in SCRATCH.glob(f"{_DATABASES}*"):
        with contextlib.suppress(OSError):
            if not Path((database / OWNER).read_text()).exists():
                shutil.rmtree(database, ignore_errors=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically, readable by its owner only."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(name).replace(path)


def env_file(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def own_directory(path: Path, mode: int) -> None:
    """Make a directory below a shared one and refuse it if somebody else made it first."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=mode)
    status = path.lstat()
    if path.is_symlink() or status.st_uid != os.getuid():
        raise LocalStackError(f"{path} belongs to another user; remove it or choose another --dir.")
    path.chmod(mode)
