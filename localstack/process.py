"""One child process that ends with its supervisor, however the supervisor ends."""

import ctypes
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)  # loaded here: between fork and exec nothing may be imported

FIRST_BACKOFF = 0.05  #: seconds before a dead child's restart; doubles with each death in a row
LAST_BACKOFF = 5.0
STEADY = 10.0  #: seconds of life after which a death counts as the first again
STOP_PATIENCE = 5.0  #: seconds between the polite signal and SIGKILL


def die_with_parent(parent: int, sign: signal.Signals) -> Callable[[], None]:
    """Code to run between fork and exec: the kernel sends `sign` when the supervisor ends, even by SIGKILL.

    It runs after the change of user, which would clear the setting. The supervisor blocks the signals that
    it waits for, so the child unblocks them.
    """

    def before_exec() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        _libc.prctl(_PR_SET_PDEATHSIG, int(sign))
        if os.getppid() != parent:  # the supervisor ended before we asked
            os._exit(1)

    return before_exec


def unprivileged_user() -> pwd.struct_passwd | None:
    """Whom Postgres runs as: `nobody` if we are root, else None for ourselves."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else None


def run_unprivileged(argv: Sequence[str | Path], *, env: Mapping[str, str], given: str = "") -> None:
    """Run a short command as the user that Postgres runs as. Raises CalledProcessError with its output.

    given: its standard input.
    """
    user = unprivileged_user()
    subprocess.run(
        argv,
        env=dict(env),
        cwd="/",
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
        preexec_fn=die_with_parent(os.getpid(), signal.SIGKILL),
        check=True,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )


@dataclass(slots=True, kw_only=True)
class Child:
    """A program to keep alive.

    ready: tells whether the program serves; called repeatedly until it does.
    death_signal: what the kernel sends when the supervisor is gone; stop_signal: how we ask it to end.
    """

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str] = field(repr=False)
    log: Path
    ready: Callable[[], bool]
    unprivileged: bool = False
    death_signal: signal.Signals = signal.SIGKILL
    stop_signal: signal.Signals = signal.SIGTERM

    is_ready: bool = False
    restarts: int = 0
    due: float = 0.0  #: monotonic time of the next start while it isn't running
    _deaths_in_row: int = 0
    _started: float = 0.0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self) -> None:
        user = unprivileged_user() if self.unprivileged else None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.argv,
                env=dict(self.env),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
                start_new_session=True,  # the terminal's Ctrl-C is the supervisor's alone
                preexec_fn=die_with_parent(os.getpid(), self.death_signal),
            )
        self._started = time.monotonic()

    def died(self) -> bool:
        """Whether it ended since the last call; if so, it is due again after a backoff."""
        if self._process is None or self._process.poll() is None:
            return False
        now = time.monotonic()
        self._deaths_in_row = 0 if now - self._started > STEADY else self._deaths_in_row + 1
        self.due = now + min(LAST_BACKOFF, FIRST_BACKOFF * 2 ** max(0, self._deaths_in_row - 1))
        self._process, self.is_ready = None, False
        self.restarts += 1
        return True

    def stop(self) -> None:
        process, self._process = self._process, None
        self.is_ready = False
        if process is None:
            return
        process.send_signal(self.stop_signal)
        try:
            process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def last_words(self) -> str:
        """The end of its log, for an error message."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
