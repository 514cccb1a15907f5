"""Debian's Postgres 15 as program files for the local stack: real pg_cron, pgTAP and plpgsql_check.

Hosted projects run 15 to 17; the package of the local stack is 17 and has none of the three. The packages'
files are copied to a place of our own, where extensions may be marked as trusted and stand-ins added (pg_net,
Vault).
"""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from localstack import postgres
from localstack.layout import SCRATCH, own_directory

PACKAGES = ("postgresql-15", "postgresql-15-cron", "postgresql-15-pgtap", "postgresql-15-plpgsql-check")
PROGRAMS = Path("/usr/lib/postgresql/15")
SHARED = Path("/usr/share/postgresql/15")
NEEDED = (
    PROGRAMS / "bin/initdb",
    PROGRAMS / "lib/pg_cron.so",
    PROGRAMS / "lib/plpgsql_check.so",
    SHARED / "extension/pgtap.control",
)
#: Goes into every new cluster's postgresql.conf. Jobs run in workers of the server: connections need a password.
CONFIGURATION = """
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
"""
#: What hosted projects do when `postgres` creates pg_cron: it belongs to the superuser, and postgres may use it.
CRON_GRANTS = """
update pg_catalog.pg_extension set extowner = 10 where extname = 'pg_cron';
grant usage on schema cron to postgres with grant option;
grant execute on all functions in schema cron to postgres with grant option;
grant select on cron.job to postgres with grant option;
grant all on cron.job_run_details to postgres with grant option;
"""


class NotInstalledError(Exception):
    """There is no Postgres 15 to run on; the text says why."""


def provide(*, may_install: bool) -> None:
    """Install Postgres 15 unless it is there. Raises NotInstalledError, or CalledProcessError with apt's words."""
    if all(path.exists() for path in NEEDED):
        return
    if not shutil.which("apt-get"):
        raise NotInstalledError("this is not Debian: no apt-get to install Postgres 15 with")
    if os.getuid() != 0:
        raise NotInstalledError(f"not installed, and only root can: apt-get install {' '.join(PACKAGES)}")
    if not may_install:
        raise NotInstalledError("Postgres 15 is not installed; scripts/lane15 does it")
    _apt("apt-get", "update", "-q")
    try:
        _apt("apt-cache", "show", *PACKAGES)
    except subprocess.CalledProcessError:
        raise NotInstalledError(
            "this system's packages have no Postgres 15 with pg_cron, pgTAP and plpgsql_check"
        ) from None
    if not PROGRAMS.exists():  # a fresh postgresql-15 would start a server of its own
        settings = Path("/etc/postgresql-common/createcluster.d/herald-lane15.conf")
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text("create_main_cluster = false\n")
    _apt("apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES)


def _apt(*command: str) -> None:
    subprocess.run(
        command,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def program_files() -> Path:
    """A folder for LOCALSTACK_POSTGRES, made anew when the packages or our stand-ins change."""
    stand_ins = {name: version for name, version in postgres.EXTENSIONS.items() if name != "pg_cron"}
    scripts = {name: (postgres.HERE / f"{name}.sql").read_text() for name in stand_ins}
    packages = [path.stat().st_mtime_ns for path in NEEDED]
    made_of = json.dumps([Path(__file__).read_text(), stand_ins, scripts, packages])
    digest = hashlib.sha256(made_of.encode()).hexdigest()[:8]
    tree = SCRATCH / f"herald-postgres-15-{digest}-{os.getuid()}"
    if tree.exists():
        own_directory(tree, 0o755)
        return tree
    draft = tree.with_name(f"{tree.name}.{secrets.token_hex(4)}")
    own_directory(draft, 0o755)
    # Postgres finds its files relative to its program, if the folders are named as they were built.
    programs, shared = draft / "usr/lib/postgresql/15", draft / "usr/share/postgresql/15"
    (programs / "bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        shutil.copy(PROGRAMS / "bin" / program, programs / "bin")
    (programs / "lib").symlink_to(PROGRAMS / "lib")
    shutil.copytree(SHARED, shared)
    (draft / "bin").symlink_to("usr/lib/postgresql/15/bin")
    (draft / "lib").symlink_to(PROGRAMS / "lib")
    (draft / "share").symlink_to("usr/share")
    sample = shared / "postgresql.conf.sample"
    sample.write_text(sample.read_text() + CONFIGURATION)
    control = shared / "extension/pg_cron.control"
    control.write_text(control.read_text() + "trusted = true\n")
    last = shared / "extension/pg_cron--1.4--1.4-1.sql"
    last.write_text(last.read_text() + CRON_GRANTS)
    for name, (version, schema) in stand_ins.items():
        text = f"default_version = '{version}'\nrelocatable = false\ntrusted = true\n"
        (shared / f"extension/{name}.control").write_text(text + (f"schema = {schema}\n" if schema else ""))
        (shared / f"extension/{name}--{version}.sql").write_text(scripts[name])
    try:
        draft.rename(tree)
    except OSError:  # another run was quicker
        shutil.rmtree(draft)
    return tree


def main() -> None:
    """Install Postgres 15, or say why not and fail."""
    try:
        provide(may_install=True)
    except NotInstalledError as missing:
        sys.exit(f"lane15: {missing}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"lane15: {' '.join(error.cmd)} failed:\n{error.stdout}")


if __name__ == "__main__":
    main()
