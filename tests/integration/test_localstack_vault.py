"""Vault in the local stack: hosted signatures and grants, and nothing readable at rest."""

from collections.abc import Iterator

import psycopg
import pytest

from localstack.client import LocalStack, Stack

REFUSED = psycopg.errors.InsufficientPrivilege


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("stack"), migrate=False) as stack:
        yield stack


@pytest.fixture
def db(stack: Stack) -> Iterator[psycopg.Connection]:
    """As `postgres`; rolled back."""
    with psycopg.connect(stack.database_url) as connection:
        yield connection
        connection.rollback()


def value(db: psycopg.Connection, query: str, *values: object) -> object:
    row = db.execute(query.encode(), values or None).fetchone()
    return row[0] if row else None


def test_a_hosted_migration_finds_the_extension(db: psycopg.Connection) -> None:
    db.execute("create extension if not exists supabase_vault with schema vault")
    assert value(
        db, "select extnamespace::regnamespace::text from pg_extension where extname = 'supabase_vault'"
    ) == ("vault")


@pytest.mark.parametrize("role", ["postgres", "service_role"])
def test_whoever_keeps_secrets_reads_them_back(db: psycopg.Connection, role: str) -> None:
    db.execute(f"set local role {role}".encode())
    made = value(db, "select vault.create_secret('hush', 'key', 'of a test')")
    read = "select decrypted_secret, name, description from vault.decrypted_secrets where id = %s"
    assert db.execute(read, [made]).fetchone() == ("hush", "key", "of a test")
    db.execute("select vault.update_secret(%s, new_secret => 'louder')", [made])
    assert db.execute(read, [made]).fetchone() == ("louder", "key", "of a test")
    assert db.execute("delete from vault.secrets where id = %s", [made]).rowcount == 1


@pytest.mark.parametrize("role", ["anon", "authenticated"])
@pytest.mark.parametrize(
    "attempt",
    [
        "select vault.create_secret('mine')",
        "select vault.update_secret(gen_random_uuid(), 'mine')",
        "select decrypted_secret from vault.decrypted_secrets",
        "select secret from vault.secrets",
        "delete from vault.secrets",
        "select vault._decrypt('', gen_random_uuid(), '')",
    ],
)
def test_nobody_else_comes_near(db: psycopg.Connection, role: str, attempt: str) -> None:
    db.execute("select vault.create_secret('hush')")
    db.execute(f"set local role {role}".encode())
    with pytest.raises(REFUSED):
        db.execute(attempt.encode())


@pytest.mark.parametrize(
    "attempt",
    [
        "select vault._password(gen_random_uuid(), '')",
        "select pg_read_file('vault.key')",
        "insert into vault.secrets (secret) values ('x')",
    ],
)
def test_not_even_postgres_gets_at_the_key_or_past_the_functions(db: psycopg.Connection, attempt: str) -> None:
    with pytest.raises(REFUSED):
        db.execute(attempt.encode())


def test_at_rest_a_secret_is_bound_to_its_row_and_unreadable(db: psycopg.Connection) -> None:
    one, other = (value(db, "select vault.create_secret(%s)", word) for word in ("hush-hush", "other"))
    assert "hush-hush" not in str(value(db, "select s::text from vault.secrets s where id = %s", one))
    stored = value(db, "select secret from vault.secrets where id = %s", one)
    with pytest.raises(psycopg.errors.ExternalRoutineInvocationException, match="Wrong key"):
        db.execute("select vault._decrypt(%s, id, nonce) from vault.secrets where id = %s", [stored, other])


def test_names_are_unique(db: psycopg.Connection) -> None:
    db.execute("select vault.create_secret('a', 'same')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        db.execute("select vault.create_secret('b', 'same')")


def test_secrets_survive_a_restart(stack: Stack) -> None:
    with psycopg.connect(stack.database_url) as db:
        made = value(db, "select vault.create_secret('lasting')")
    stack.await_restart("postgres", stack.kill("postgres"))
    with psycopg.connect(stack.database_url) as db:
        read = "select decrypted_secret from vault.decrypted_secrets where id = %s"
        assert value(db, read, made) == "lasting"
