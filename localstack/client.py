"""What tests and scripts use.

    async with LocalStack.start(tmp_path) as stack:     # or plain `with`
        client = await acreate_client(stack.url, stack.publishable_key)

A stack that a program starts this way stops when the program ends, even if it is killed.
`Stack.attach(directory)` joins one that `python -m localstack up --detach` started.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import psycopg

from localstack.credentials import Credentials
from localstack.kept_logs import note_secrets
from localstack.layout import REPOSITORY, Layout, LocalStackError, Phase, State, env_file, write_private

ChildName = Literal["postgres", "postgrest", "gateway"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running local Supabase."""

    url: str
    publishable_key: str
    secret_key: str = field(repr=False)
    database_url: str = field(repr=False)  #: as `postgres`, the role that owns migrations
    directory: Path
    _process: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def attach(cls, directory: Path | str = ".localstack") -> "Stack":
        """Join a running stack. Raises LocalStackError if none runs there."""
        layout = Layout.at(directory)
        if layout.read_state().phase in (Phase.STOPPED, Phase.FAILED):
            raise LocalStackError(f"No stack runs in {layout.directory}; `up` starts one.")
        values = dict(line.split("=", 1) for line in layout.env.read_text().splitlines())
        return cls(
            url=values["SUPABASE_URL"],
            publishable_key=values["SUPABASE_PUBLISHABLE_KEY"],
            secret_key=values["SUPABASE_SERVICE_KEY"],
            database_url=values["DATABASE_URL"],
            directory=layout.directory,
        )

    @property
    def state(self) -> State:
        return Layout(self.directory).read_state()

    def kill(self, child: ChildName) -> int:
        """Kill one program by SIGKILL and return its process id, for `await_restart`."""
        pid = self.state.children[child].pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def await_restart(self, child: ChildName, killed: int, *, within: float = 15.0) -> int:
        """Block until a new process replaces `killed` and the whole stack is ready again."""

        def restarted(state: State) -> bool:
            return state.phase is Phase.READY and state.children[child].pid not in (0, killed)

        return _await_state(self.directory, restarted, within, f"{child} to restart").children[child].pid

    def reset(self, *, within: float = 120.0) -> None:
        """A new database with the migrations applied; keys and ports stay."""
        state = self.state
        os.kill(state.supervisor, signal.SIGUSR1)
        after = state.resets + 1
        _await_state(self.directory, lambda now: now.phase is Phase.READY and now.resets >= after, within, "reset")

    def reload_schema(self) -> None:
        """Have PostgREST read the schema again. DDL does this by itself."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute("notify pgrst, 'reload schema'")

    def set_function_secrets(self, **secrets: str) -> None:
        """Replace all secrets of the functions; the next request uses them. Hosted: `supabase secrets set`."""
        note_secrets(text for name, text in secrets.items() if "KEY" in name or "SECRET" in name)
        write_private(Layout(self.directory).function_secrets, env_file(secrets))

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT with these claims, signed as Auth signs: for tokens that Auth would not issue."""
        return Credentials.load_or_generate(Layout(self.directory).credentials).sign(
            {"iss": f"{self.url}/auth/v1", "aud": "authenticated", **claims}
        )

    def stop(self) -> None:
        """Stop the stack and remove its data."""
        Stack.take_down(self.directory)
        if self._process:
            self._process.wait(15)

    @staticmethod
    def take_down(directory: Path | str, *, within: float = 20.0) -> None:
        """Stop whatever runs in the directory and remove its data. If nothing runs, do nothing."""
        layout = Layout.at(directory)
        if layout.supervised():
            os.kill(layout.read_state().supervisor, signal.SIGTERM)
            deadline = time.monotonic() + within
            while layout.supervised():
                if time.monotonic() > deadline:
                    raise LocalStackError(f"The stack in {layout.directory} doesn't stop; see its logs.")
                time.sleep(0.02)
        with contextlib.suppress(FileNotFoundError):
            note_secrets(Credentials.load(layout.credentials).secrets)
        layout.remove()


class LocalStack:
    """A stack for the length of a `with` or `async with` block."""

    def __init__(self, directory: Path, migrate: bool, migrations: Path | None, functions: Path | None) -> None:
        self._directory = directory
        self._options = [] if migrate else ["--no-migrate"]
        if migrations is not None:
            self._options += ["--migrations", str(migrations)]
        if functions is not None:
            self._options += ["--functions", str(functions)]
        self._stack: Stack | None = None

    @classmethod
    def start(
        cls,
        directory: Path | str,
        *,
        migrate: bool = True,
        migrations: Path | None = None,
        functions: Path | None = None,
    ) -> "LocalStack":
        """Nothing starts before the block is entered."""
        return cls(Path(directory).resolve(), migrate, migrations, functions)

    def __enter__(self) -> Stack:
        """Raises LocalStackError with the stack's output if it can't start."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "localstack", "up", "--with-parent", "--hand-over"),
                *("--dir", str(self._directory), *self._options),
            ],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout
        with process.stdout as said:
            words = said.read().decode(errors="replace")  # until the stack is ready or has ended
        state = Layout(self._directory).read_state()
        if state.supervisor != process.pid or state.phase in (Phase.FAILED, Phase.STOPPED):
            process.wait(15)
            shutil.rmtree(Layout(self._directory).database, ignore_errors=True)  # the logs stay
            raise LocalStackError(words.strip())
        attached = Stack.attach(self._directory)
        self._stack = Stack(
            url=attached.url,
            publishable_key=attached.publishable_key,
            secret_key=attached.secret_key,
            database_url=attached.database_url,
            directory=attached.directory,
            _process=process,
        )
        return self._stack

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stack:
            self._stack.stop()

    async def __aenter__(self) -> Stack:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)


def _await_state(directory: Path, wanted: Callable[[State], bool], within: float, what: str) -> State:
    """The state file is the only channel to another process's stack, so this looks every 20 ms."""
    layout, deadline = Layout(directory), time.monotonic() + within
    while True:
        state = layout.read_state()
        if wanted(state):
            return state
        if state.phase in (Phase.FAILED, Phase.STOPPED):
            raise LocalStackError(f"Waiting for {what}: the stack is {state.phase}. {state.error}")
        if time.monotonic() > deadline:
            raise LocalStackError(f"Waiting for {what}: not within {within:g} s; the stack is {state.phase}.")
        with contextlib.suppress(InterruptedError):
            time.sleep(0.02)
