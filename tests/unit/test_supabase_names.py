"""The database's names stand in worker/supabase, and only the code there speaks to it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from localstack.layout import REPOSITORY

WORKER = REPOSITORY / "worker"
OUTSIDE = [file for file in sorted(WORKER.rglob("*.py")) if WORKER / "supabase" not in file.parents]

#: Tables, views and functions that PostgREST serves, as the migrations name them.
CREATED = re.compile(r"^create (?:or replace )?(?:table|view|function) (?:if not exists )?public\.(\w+)", re.M)
NAMES = {
    name
    for file in (REPOSITORY / "supabase/migrations").glob("*.sql")
    for name in CREATED.findall(file.read_text())
    if "_" in name  # one word, such as "profiles", may be anything
}

#: What the library of the database calls its ways in.
WAYS_IN = {"from_", "rpc", "on_postgres_changes", "table"}


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """The texts of a module that are no docstrings, with their lines."""
    tree = ast.parse(file.read_text())
    explained = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, explained) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_the_names_are_known() -> None:
    assert {"scheduled_whatsapp_messages", "whatsapp_sessions", "whatsapp_settle_and_claim"} <= NAMES
    assert len(NAMES) > 60
    assert len(OUTSIDE) > 60


@pytest.mark.parametrize("file", OUTSIDE, ids=lambda file: str(file.relative_to(WORKER)))
def test_a_module_names_nothing_of_the_database(file: Path) -> None:
    found = [(line, text) for line, text in texts(file) if NAMES & set(re.findall(r"\w+", text))]
    lists = [(line, text) for line, text in texts(file) if re.fullmatch(r"\w+(,\w+)+", text) and "_" in text]
    assert not found, "table, view or function: it belongs into worker/supabase"
    assert not lists, "a list of columns: it belongs into worker/supabase"


@pytest.mark.parametrize("file", OUTSIDE, ids=lambda file: str(file.relative_to(WORKER)))
def test_a_module_queries_nothing_by_itself(file: Path) -> None:
    called = {
        node.func.attr
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & WAYS_IN
