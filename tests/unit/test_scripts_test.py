"""scripts/test runs every test file, sums up all parts, and fails when anything failed or ran no test."""

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from localstack.layout import REPOSITORY

PASSING = "def test_a(): pass\ndef test_b(): pass\n"
FAILING = "def test_c(): pass\ndef test_d(): assert False\n"
BROKEN = "import pytest\n@pytest.fixture\ndef world(): raise OSError\ndef test_e(world): pass\n"
SKIPPED = "import pytest\n@pytest.mark.skip\ndef test_f(): pass\n"


def summed_up(folder: Path, *arguments: str, check_code: int = 0, parts: dict[str, str]) -> tuple[int, str]:
    """Run it on a project with these test files, a part each; exit code, and last line without the time."""
    for name in ("scripts", "tests", ".venv/bin"):
        (folder / name).mkdir(parents=True)
    shutil.copy(REPOSITORY / "scripts/test", folder / "scripts")
    for name, command in (
        ("scripts/setup", "true"),
        ("scripts/check", f"exit {check_code}"),
        (".venv/bin/python", f'exec {REPOSITORY}/.venv/bin/python "$@"'),
    ):
        script = folder / name
        script.write_text(f"#!/bin/sh\n{command}\n")
        script.chmod(0o755)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = full\n")
    for name, code in parts.items():
        (folder / f"tests/test_{name}.py").write_text(code)
    lines = [f"{number} {name} tests/test_{name}.py" for number, name in enumerate(parts)]
    (folder / "tests/parts.txt").write_text("\n".join(["# seconds", *lines, ""]))
    done = subprocess.run(
        [folder / "scripts/test", *arguments],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()[-1].partition(" in ")[0]


def test_the_last_line_sums_up_all_parts(tmp_path: Path) -> None:
    assert summed_up(tmp_path, parts={"one": PASSING, "two": PASSING + SKIPPED}) == (
        0,
        "4 passed, 0 failed, 1 skipped",
    )


def test_one_part_that_fails_fails_the_run(tmp_path: Path) -> None:
    parts = {"one": PASSING, "two": FAILING, "three": BROKEN, "four": PASSING, "five": PASSING}
    assert summed_up(tmp_path, "--no-check", parts=parts) == (1, "7 passed, 2 failed, 0 skipped")


@pytest.mark.parametrize("empty", ["", SKIPPED, "import pytest\n@pytest.mark.full\ndef test_g(): pass\n"])
def test_a_part_that_runs_no_test_fails_the_run(tmp_path: Path, empty: str) -> None:
    code, line = summed_up(tmp_path, parts={"one": PASSING, "two": empty})
    assert (code, line.partition(" skipped")[0][:-1]) == (1, "2 passed, 0 failed, ")


def test_checks_that_fail_fail_the_run(tmp_path: Path) -> None:
    assert summed_up(tmp_path, check_code=1, parts={"one": PASSING}) == (1, "2 passed, 0 failed, 0 skipped")


def test_every_test_file_is_in_exactly_one_part() -> None:
    parts = [
        line.split()[2:] for line in (REPOSITORY / "tests/parts.txt").read_text().splitlines() if line[0] != "#"
    ]
    given = Counter(
        file
        for patterns in parts
        for pattern in patterns
        for place in REPOSITORY.glob(pattern)
        for file in ([place] if place.is_file() else place.rglob("test_*.py"))
    )
    assert given == Counter((REPOSITORY / "tests").rglob("test_*.py"))
