"""A finished cluster to copy, so that a new stack need not run initdb and the migrations.

    /var/tmp/herald-template-UID-KEY/data

The key says what is in it: Postgres's program files, this folder's SQL, and the migrations. A template that no
stack has used for a day is removed when the next one is made.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localstack.layout import SCRATCH, own_directory

HERE = Path(__file__).parent
_PREFIX = f"herald-template-{os.getuid()}-"
_UNUSED_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Template:
    """Where the cluster with these contents lies, or will."""

    directory: Path

    @classmethod
    def of(cls, tree: Path, migrations: Path | None) -> "Template":
        """The one for Postgres's program files and a folder of migrations; None: an empty project."""
        digest = hashlib.sha256(str(tree).encode())
        for file in [*sorted(HERE.glob("*.sql")), *(sorted(migrations.glob("*.sql")) if migrations else ())]:
            content = file.read_bytes()
            digest.update(f"\0{file.name}\0{len(content)}\0".encode() + content)
        return cls(SCRATCH / f"{_PREFIX}{digest.hexdigest()[:16]}")

    @property
    def exists(self) -> bool:
        return (self.directory / "data").is_dir()

    @contextlib.contextmanager
    def building(self) -> Iterator[None]:
        """Stacks that start together make it once: the others wait here."""
        lock = SCRATCH / f"{_PREFIX}lock"
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def keep(self, data: Path) -> None:
        """Take over a cluster whose Postgres has stopped in order."""
        _remove_unused()
        draft = self.directory.with_name(f"{self.directory.name}.{secrets.token_hex(4)}")
        own_directory(draft, 0o700)
        _copy(data, draft / "data")
        try:
            draft.rename(self.directory)
        except OSError:
            shutil.rmtree(draft)

    def copy_to(self, data: Path) -> None:
        """Copy it to a stack's place, which has its folder but no cluster yet."""
        own_directory(self.directory, 0o700)
        os.utime(self.directory)
        _copy(self.directory / "data", data)


def _copy(source: Path, target: Path) -> None:
    """Owners and modes too: Postgres doesn't run as root."""
    subprocess.run(["cp", "--archive", "--reflink=auto", source, target], check=True, stdin=subprocess.DEVNULL)


def _remove_unused() -> None:
    """Remove the templates of contents that have changed since."""
    for template in SCRATCH.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if template.is_dir() and time.time() - template.stat().st_mtime > _UNUSED_SECONDS:
                shutil.rmtree(template, ignore_errors=True)
