"""docs/operations.md knows every sign that Herald gives: a failure here prints what it lacks."""

import ast
import re
from collections.abc import Iterator

import pytest

from localstack.layout import REPOSITORY
from worker.__main__ import Exit
from worker.message import MessageStatus
from worker.outcome import Accepted
from worker.providers.web import outcomes
from worker.session import Ending

RUNBOOK = REPOSITORY / "docs" / "operations.md"
MIGRATIONS = sorted((REPOSITORY / "supabase" / "migrations").glob("*.sql"))
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}

#: Codes that the API answers stand at /docs of each worker, each with its hint.
OUTCOMES = {"Rejected", "Unavailable", "Indeterminate"}


def worker_code() -> Iterator[ast.AST]:
    """Every node of the worker's source."""
    for path in sorted((REPOSITORY / "worker").rglob("*.py")):
        yield from ast.walk(ast.parse(path.read_text(), str(path)))


def is_text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def log_events() -> set[str]:
    """The first argument of every log call."""
    found = set()
    for node in worker_code():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            of = ast.unparse(node.func.value)
            if (of == "log" or of.endswith("_log")) and node.args and (event := is_text(node.args[0])):
                found.add(event)
    return found - {"A library logged an error", "A library logged a warning"}


def metrics() -> set[str]:
    """Every name that Prometheus is told, as it shows it: a counter's ends in _total."""
    names = {text for node in worker_code() if (text := is_text(node)) and re.fullmatch(r"herald_[a-z_]+", text)}
    counters = {
        text
        for node in worker_code()
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Counter"
        and node.args
        and (text := is_text(node.args[0]))
    }
    return names - counters | {f"{name}_total" for name in counters}


def message_codes() -> set[str]:
    """Codes of outcomes that the worker makes, and those that the database writes itself."""
    made = {
        text
        for node in worker_code()
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in OUTCOMES
        for word in node.keywords
        if word.arg == "code" and (text := is_text(word.value))
    }
    table = [*outcomes.TABLE.values(), outcomes.after_death(None), outcomes.MOVING, outcomes.NOT_MIGRATED]
    made |= {outcome.code for outcome in table if not isinstance(outcome, Accepted)}
    return made | set().union(*(codes_of_sql(path.read_text()) for path in MIGRATIONS))


def codes_of_sql(sql: str) -> set[str]:
    """What follows an assignment to error_code on its line, without what it is compared with."""
    found: set[str] = set()
    for assigned in re.findall(r"error_code\s*:?=\s*(.*)", sql):
        found |= set(re.findall(r"'([a-z][a-z-]+)'", assigned))
    return found - {*MessageStatus, "accepted"}


#: In SQL a kind is the third argument; whatsapp_session_alert passes on the worker's.
_RAISE = r"perform herald\.raise_alert\(\s*[^,()]+,\s*[^,()]+,\s*(?:'([a-z0-9-]+)'|(p_kind),)"


def alert_kinds() -> set[str]:
    """Kinds that migrations and workers raise; a worker names them by a constant of its module."""
    found = {kind for path in MIGRATIONS for kind, _ in re.findall(_RAISE, path.read_text()) if kind}
    for path in sorted((REPOSITORY / "worker").rglob("*.py")):
        for call in re.findall(r"leases\.alert\(\s*[\w.]+,\s*(\w+),", text := path.read_text()):
            found |= set(re.findall(rf'^{call} = "([a-z0-9-]+)"', text, flags=re.M)) or {f"{call} of {path.name}"}
    return found


def rows() -> set[str]:
    """What stands in `code` in the first column of the runbook's tables."""
    first = [line.split("|")[1] for line in RUNBOOK.read_text().splitlines() if line.startswith("|")]
    return {word for cell in first for word in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize("find", [log_events, metrics, message_codes, alert_kinds], ids=lambda find: find.__name__)
def test_the_runbook_has_a_row_for_each(find: "type[set[str]]") -> None:
    found = find()
    assert len(found) >= 3, "nothing found: does the search still fit the code?"
    assert sorted(found - rows()) == [], f"add rows to {RUNBOOK.relative_to(REPOSITORY)}"


def test_the_runbook_has_a_row_for_each_ending_and_exit_code() -> None:
    text = RUNBOOK.read_text()
    assert [ending.value for ending in Ending if ending.value not in rows()] == []
    assert [code for code in Exit if f"\n| {code:d} |" not in text] == []


def test_every_raise_of_an_alert_is_seen() -> None:
    """A kind that is no literal would slip through the search."""
    sql = "\n".join(path.read_text() for path in MIGRATIONS)
    assert len(re.findall(_RAISE, sql)) == sql.count("perform herald.raise_alert(") > 0
