"""A finished cluster is kept for the next stacks as long as somebody uses it."""

import os
import time
from pathlib import Path

from localstack.template import Template


def migrations(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "1_first.sql").write_text(text)
    return folder


def test_other_migrations_are_another_template(tmp_path: Path) -> None:
    tree = tmp_path / "postgres"
    first = Template.of(tree, migrations(tmp_path / "a", "select 1"))
    assert first == Template.of(tree, migrations(tmp_path / "b", "select 1"))
    assert first != Template.of(tree, migrations(tmp_path / "b", "select 2"))
    assert first != Template.of(tree, None)
    assert first != Template.of(tmp_path / "other", tmp_path / "a")


def test_a_copy_is_the_cluster_with_owner_and_modes(tmp_path: Path) -> None:
    data = tmp_path / "stack"
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("17")
    (data / "PG_VERSION").chmod(0o600)
    kept = Template.of(Path("postgres"), None, tmp_path)
    assert not kept.exists
    with kept.building():
        kept.keep(data)
    assert kept.exists
    assert kept.directory.stat().st_mode & 0o777 == 0o700
    kept.copy_to(tmp_path / "copy")
    assert (tmp_path / "copy/PG_VERSION").read_text() == "17"
    assert (tmp_path / "copy/PG_VERSION").stat().st_mode & 0o777 == 0o600


def test_those_of_an_hour_ago_are_removed_but_for_the_newest(tmp_path: Path) -> None:
    made = []
    for number in range(7):
        data = tmp_path / f"data{number}"
        data.mkdir()
        made.append(Template.of(Path(f"postgres {number}"), None, tmp_path))
        made[-1].keep(data)
    for number, kept in enumerate(made):
        age = 7_200 if number < 5 else 60
        os.utime(kept.directory, (time.time() - age + number,) * 2)
    (tmp_path / "another").mkdir()
    newest = Template.of(Path("another"), None, tmp_path)
    newest.keep(tmp_path / "another")
    assert [kept.exists for kept in (*made, newest)] == [False] * 3 + [True] * 4 + [True]
