"""What scripts/types makes from the migrations, on a stack of its own whose schema may be changed for good."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from localstack.client import LocalStack, Stack
from scripts.schema.__main__ import made_from, stale
from scripts.schema.advisors import advise


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with LocalStack.start(tmp_path_factory.mktemp("schema")) as stack:
        yield stack


@pytest.fixture(scope="module")
def before(stack: Stack) -> dict[Path, str]:
    return made_from(stack.database_url)


def change(stack: Stack, statement: str) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_the_same_schema_always_gives_the_same_files(stack: Stack, before: dict[Path, str]) -> None:
    assert made_from(stack.database_url) == before


def test_a_new_column_makes_types_and_page_stale_and_the_diff_names_it(
    stack: Stack, before: dict[Path, str], tmp_path: Path
) -> None:
    committed = {tmp_path / file.name: text for file, text in before.items()}
    for file, text in committed.items():
        file.write_text(text)
    assert stale(committed) == []
    change(stack, "alter table public.whatsapp_groups add column glaze_code text")
    after = {tmp_path / file.name: text for file, text in made_from(stack.database_url).items()}
    diffs = stale(after)
    assert len(diffs) == 3  # types, the page, the facts that doctor compares
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
