"""A finished cluster to copy, so that a new stack need not run initdb and the migrations.

    /var/tmp/herald-template-UID-KEY/data

The key says what is in it: Postgres's program files, this folder's SQL, and the migrations. When one is made, those
that no stack has used for an hour are removed, but for the newest four.
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
_UNUSED_SECONDS, _KEPT = 3_600.0, 4


@dataclass(frozen=True, slots=True)
class Template:
    """Where the cluster with these contents is, or will be."""

    directory: Path

    @classmethod
    def of(cls, tree: Path, migrations: Path | None, scratch: Path = SCRATCH) -> "Template":
        """The one for Postgres's program files and a folder of migrations; None: an empty project."""
        digest = hashlib.sha256(str(tree).encode())
        for file in [*sorted(HERE.glob("*.sql")), *(sorted(migrations.glob("*.sql")) if migrations else ())]:
            content = file.read_bytes()
            digest.update(f"\0{file.name}\0{len(content)}\0".encode() + content)
        return cls(scratch / f"{_PREFIX}{digest.hexdigest()[:16]}")

    @property
    def exists(self) -> bool:
        return (self.directory / "data").is_dir()

    @contextlib.contextmanager
    def building(self) -> Iterator[None]:
        """Stacks that start together create the template once; the others wait here."""
        lock = self.directory.with_name(f"{_PREFIX}lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def keep(self, data: Path) -> None:
        """Keep a cluster as a template, after its Postgres has stopped."""
        _remove_unused(self.directory.parent)
        draft = self.directory.with_name(f"{self.directory.name}.{secrets.token_hex(4)}")
        own_directory(draft, 0o700)
        _copy(data, draft / "data")
        try:
            draft.rename(self.directory)
        except OSError:
            shutil.rmtree(draft)

    def copy_to(self, data: Path) -> None:
        """Copy it into a stack's folder that has no cluster yet."""
        own_directory(self.directory, 0o700)
        os.utime(self.directory)
        _copy(self.directory / "data", data)


def _copy(source: Path, target: Path) -> None:
    """Owners and modes too: Postgres doesn't run as root."""
    subprocess.run(["cp", "--archive", "--reflink=auto", source, target], check=True, stdin=subprocess.DEVNULL)


def _remove_unused(scratch: Path) -> None:
    """Remove the templates of migrations that have changed since: 43 MB each."""
    templates = [path for path in scratch.glob(f"{_PREFIX}*") if path.is_dir()]
    for template in sorted(templates, key=_used, reverse=True)[_KEPT:]:
        if time.time() - _used(template) > _UNUSED_SECONDS:
            shutil.rmtree(template, ignore_errors=True)


def _used(template: Path) -> float:
    """When a stack last copied it, unix seconds; 0 if another stack has removed it meanwhile."""
    with contextlib.suppress(OSError):
        return template.stat().st_mtime
    return 0.0
