"""The worker compares no wall clock: its host's may be wrong by minutes, and may jump."""

import ast
from pathlib import Path

import worker

#: Ways to ask for the time of day.
_WALL = {"now", "utcnow", "today", "time_ns", "localtime", "gmtime", "ctime"}


#: What a person runs: it shows times and compares the host's clock with the database's, and decides nothing by it.
BY_A_PERSON = {"cli", "doctor"}


def wall_clock_reads(source: str) -> list[int]:
    """The lines that read the wall clock."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            time_time = node.attr == "time" and isinstance(node.value, ast.Name) and node.value.id == "time"
            if node.attr in _WALL or time_time:
                found.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [node.lineno for name in node.names if name.name in _WALL | {"time"}]
    return found


def test_the_check_finds_what_it_looks_for() -> None:
    for line in ("datetime.now(UTC)", "time.time()", "from time import time", "date.today()"):
        assert wall_clock_reads(line) == [1]
    assert wall_clock_reads("time.monotonic(); loop.time()") == []


def test_no_worker_code_reads_the_wall_clock() -> None:
    folder = Path(worker.__file__).parent
    reads = {
        str(file.relative_to(folder)): lines
        for file in folder.rglob("*.py")
        if file.relative_to(folder).parts[0] not in BY_A_PERSON
        if (lines := wall_clock_reads(file.read_text()))
    }
    assert reads == {}
