"""What scripts/types makes from the migrations, on a stack of its own whose schema may be changed for good."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from localstack.client import LocalStack, Stack
from localstack.layout import REPOSITORY
from scripts.schema.__main__ import made_from, stale
from scripts.schema.advisors import advise
from tests.sql.world import Db, Organisation


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("schema")) as stack:
        yield stack


@pytest.fixture(scope="module")
def before(stack: Stack) -> dict[Path, str]:
    return made_from(stack.database_url)


def rest(stack: Stack, path: str) -> list[object]:
    answer = httpx.get(f"{stack.url}/rest/v1/{path}", headers={"apikey": stack.secret_key}, timeout=20)
    assert answer.status_code == 200, answer.text
    rows: list[object] = answer.json()
    return rows


def change(stack: Stack, statement: str) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_the_same_schema_always_gives_the_same_files(stack: Stack, before: dict[Path, str]) -> None:
    assert made_from(stack.database_url) == before


def test_the_python_models_read_what_the_api_gives(
    stack: Stack, before: dict[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "database_made_now.py").write_text(before[REPOSITORY / "supabase/types/database.py"])
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("database_made_now")
    with Db.connect(stack.database_url, autocommit=True) as db:
        Organisation(db)
    read = set()
    for name in [name for name in vars(module) if f"{name}Insert" in vars(module)]:
        model = getattr(module, name)
        table = re.sub(r"(?<!^)([A-Z])", r"_\1", name.removeprefix("Public")).lower()
        rows = rest(stack, f"{table}?select={','.join(model.model_fields)}")
        read |= {table for row in rows if model.model_validate(row)}
    assert read >= {"organizations", "profiles", "whatsapp_sessions", "whatsapp_groups"}


def test_a_new_column_makes_every_file_stale_and_the_diff_names_it(
    stack: Stack, before: dict[Path, str], tmp_path: Path
) -> None:
    committed = {tmp_path / file.name: text for file, text in before.items()}
    for file, text in committed.items():
        file.write_text(text)
    assert stale(committed) == []
    change(stack, "alter table public.whatsapp_groups add column glaze_code text")
    after = {tmp_path / file.name: text for file, text in made_from(stack.database_url).items()}
    diffs = stale(after)
    assert len(diffs) == 3
    assert all(any(line.startswith("+") and "glaze_code" in line for line in diff.splitlines()) for diff in diffs)


def test_a_file_that_is_missing_is_stale(before: dict[Path, str], tmp_path: Path) -> None:
    assert len(stale({tmp_path / file.name: text for file, text in before.items()})) == len(before)


def test_a_table_without_a_topic_is_refused(stack: Stack) -> None:
    change(stack, "create table public.kilns (id uuid primary key)")
    try:
        with pytest.raises(ValueError, match="differ: kilns"):
            made_from(stack.database_url)
    finally:
        change(stack, "drop table public.kilns")


def test_the_advisors_warn_of_a_table_that_anyone_may_read(stack: Stack) -> None:
    change(stack, "create table public.kilns (id uuid primary key); grant select on public.kilns to anon")
    try:
        assert [words for words in advise(stack.database_url, {}) if "kilns" in words and "ERROR" in words]
    finally:
        change(stack, "drop table public.kilns")
