"""Owns the children of one stack: starts them in order, restarts those that die, stops all.

One thread, no asyncio: the loop sleeps in sigtimedwait and wakes for a dead child or an order.

SIGTERM, SIGINT   stop everything, keep the data
SIGUSR1           reset: a new database with the same keys and ports
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from localstack import postgres
from localstack.children import gateway_child, postgres_child, postgrest_child
from localstack.credentials import Credentials
from localstack.layout import (
    ChildState,
    Layout,
    LocalStackError,
    Phase,
    State,
    env_file,
    remove_abandoned_databases,
    write_private,
)
from localstack.migrations import MIGRATIONS, migrate
from localstack.ports import free_ports
from localstack.process import Child
from localstack.template import Template

RESET = signal.SIGUSR1
_STOPS = {signal.SIGTERM, signal.SIGINT}
_AWAITED = {signal.SIGCHLD, RESET, *_STOPS}
START_PATIENCE = 30.0  #: seconds until a child must answer for the first time
PORT_NAMES = ("postgres", "postgrest", "postgrest_admin", "gateway")

Progress = Callable[[str], None]


class Supervisor:
    """A stack's parent process.

    on_ready is called once when everything answers; progress gets one line per step. With orphan_of, a
    process id, the stack stops and drops its data when that parent is gone.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        migrations: Path | None,
        functions: Path,
        progress: Progress,
        on_ready: Callable[[State], None],
        orphan_of: int | None = None,
    ) -> None:
        self._layout = layout
        self._migrations = migrations
        self._functions = functions
        self._progress = progress
        self._on_ready = on_ready
        self._orphan_of = orphan_of
        self._state = State(phase=Phase.STARTING, supervisor=os.getpid())
        self._children: dict[str, Child] = {}
        self._ordered: set[int] = set()

    def run(self) -> None:
        """Return when told to stop. Raises LocalStackError if the stack can't start."""
        lock = self._layout.hold()
        self._earlier_ports = self._layout.read_state().ports
        remove_abandoned_databases()
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        try:
            self._publish()
            self._start()
            self._on_ready(self._state)
            self._supervise()
            self._end(Phase.STOPPED)
            if self._orphaned():
                shutil.rmtree(self._layout.database, ignore_errors=True)
        except BaseException as error:
            self._state.error = str(error)
            self._end(Phase.FAILED)
            raise
        finally:
            lock.close()

    # -- starting ---------------------------------------------------------------------------------------------
    def _start(self) -> None:
        self._credentials = Credentials.load_or_generate(self._layout.credentials)
        self._progress("Postgres: program files")
        self._tree = postgres.program_files()
        self._state.ports = free_ports(*PORT_NAMES, preferred=self._earlier_ports)
        self._state.url = f"http://127.0.0.1:{self._state.ports['gateway']}"
        self._start_database()
        self._add(gateway_child(self._layout, self._state, self._functions)).start()
        write_private(self._layout.env, env_file(self.environment()))
        self._add(postgrest_child(self._layout, self._state, self._credentials)).start()
        self._progress("PostgREST and gateway")
        self._await_ready("postgrest")
        self._await_ready("gateway")
        self._publish(Phase.READY)

    def _start_database(self) -> None:
        """Start it as it was left; a new one as a copy of a finished cluster, which the first stack makes."""
        home = self._layout.database
        whole = self._migrations == MIGRATIONS  # a test's own migrations are not worth a template
        new = not postgres.is_complete(home) and not postgres.is_foreign()
        template = Template.of(self._tree, MIGRATIONS if whole else None) if new else None
        with contextlib.ExitStack() as building:
            if template and not template.exists:
                building.enter_context(template.building())
            copied = template is not None and template.exists
            if template and copied:
                self._progress("Postgres: a copy of a finished cluster")
                postgres.copy_cluster(self._tree, self._layout, self._credentials, template)
            self._start_postgres()
            if whole and not copied:
                self._migrate()
            if template and not copied:
                self._children["postgres"].stop()
                template.keep(home / "data")
                self._children["postgres"].start()
                self._await_ready("postgres")
        if not whole:
            self._migrate()

    def _start_postgres(self) -> None:
        self._progress("Postgres")
        data = postgres.make_cluster(self._tree, self._layout, self._credentials)
        for attempt in range(3):
            postgres.configure(data, self._state.ports["postgres"])
            self._add(postgres_child(self._layout, self._state, self._credentials, self._tree, data)).start()
            try:
                self._await_ready("postgres", restarts=0)
                break
            except LocalStackError:
                if attempt == 2 or "Address already in use" not in self._children["postgres"].last_words():
                    raise
                self._state.ports |= free_ports("postgres")
        postgres.prepare_database(self._layout.database, self._credentials, self._state.ports["postgres"])

    def _migrate(self) -> None:
        if self._migrations is not None:
            self._progress("Migrations")
            migrate(self._credentials.dsn("postgres", self._state.ports["postgres"]), self._migrations)

    def environment(self) -> dict[str, str]:
        """What a program needs to use the stack."""
        return {
            "SUPABASE_URL": self._state.url,
            "SUPABASE_PUBLISHABLE_KEY": self._credentials.publishable_key,
            "SUPABASE_SERVICE_KEY": self._credentials.secret_key,
            "DATABASE_URL": self._credentials.dsn("postgres", self._state.ports["postgres"]),
        }

    def _add(self, child: Child) -> Child:
        self._children[child.name] = child
        return child

    def _await_ready(self, name: str, restarts: int = 3) -> None:
        child = self._children[name]
        deadline = time.monotonic() + START_PATIENCE
        while not child.is_ready:
            self._wait(0.02)
            if self._ordered & _STOPS:
                raise LocalStackError("Stopped while starting.")
            self._look_after(child)
            if child.restarts > restarts or time.monotonic() > deadline:
                raise LocalStackError(f"{name} doesn't start; {child.log} ends with:\n{child.last_words()}")

    # -- keeping ----------------------------------------------------------------------------------------------
    def _supervise(self) -> None:
        while not self._ordered & _STOPS:
            if RESET in self._ordered:
                self._ordered.discard(RESET)
                self._reset()
            for child in self._children.values():
                self._look_after(child)
            steady = all(child.is_ready for child in self._children.values())
            self._publish(Phase.READY if steady else Phase.DEGRADED)
            self._wait(1.0 if steady else 0.02)
            if self._orphaned():
                return

    def _orphaned(self) -> bool:
        return self._orphan_of is not None and os.getppid() != self._orphan_of

    def _look_after(self, child: Child) -> None:
        if child.died():
            if child.name == "postgres" and "postgrest" in self._children:
                self._children["postgrest"].is_ready = False  # it reconnects by itself and reports it
            self._progress(f"{child.name} ended; it starts again (log: {child.log})")
            self._publish_loss()
        if not child.pid and time.monotonic() >= child.due:
            child.start()
            self._publish_loss()
        if child.pid and not child.is_ready:
            child.is_ready = child.ready()

    def _publish_loss(self) -> None:
        """The stack is no longer ready once the state file names another process."""
        self._publish(Phase.DEGRADED if self._state.phase is Phase.READY else None)

    def _reset(self) -> None:
        self._publish(Phase.RESETTING)
        self._children["postgrest"].stop()
        self._children.pop("postgres").stop()
        shutil.rmtree(self._layout.database)
        self._start_database()
        self._children["postgrest"].start()
        self._await_ready("postgrest")
        self._state.resets += 1

    def _wait(self, seconds: float) -> None:
        """Sleep until a signal comes or the time is up; remember what the signal asked for."""
        info = signal.sigtimedwait(_AWAITED, seconds)
        while info:
            self._ordered.add(info.si_signo)
            info = signal.sigtimedwait(_AWAITED, 0)
        self._ordered.discard(signal.SIGCHLD)

    # -- telling ----------------------------------------------------------------------------------------------
    def _publish(self, phase: Phase | None = None) -> None:
        before = self._state.to_json()
        self._state.phase = phase or self._state.phase
        self._state.children = {
            name: ChildState(pid=child.pid, ready=child.is_ready, restarts=child.restarts)
            for name, child in self._children.items()
        }
        if self._state.to_json() != before or not self._layout.state.exists():
            self._layout.write_state(self._state)

    def _end(self, phase: Phase) -> None:
        for name in ("gateway", "postgrest", "postgres"):
            if child := self._children.get(name):
                child.stop()
        self._publish(phase)
