"""The watch over all tests finds what it is there for, and makes the run fail by it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localstack.kept_logs import NOTES
from localstack.layout import REPOSITORY
from tests.canaries import FORMS, leaks

#: One of each, put together here, so that this test's own words are no leak.
LOOKS_LIKE = {
    "a phone number": "sent to +" + "49151" + "2345678.",
    "a token": "Bearer " + "eyJ" + "a" * 20 + "." + "b" * 20 + ".c",
    "a secret key of Supabase": "apikey=" + "sb_secret_" + "0123456789abcdef",
    "a database's password": "postgresql://" + "postgres:" + "hunter2" + "@127.0.0.1/postgres",
    "a private key": "-----BEGIN " + "PRIVATE KEY-----",
    "a QR": "2@ref," + "A" * 43 + "=," + "B" * 43 + "=,",
    "a QR's picture": "qr_code=" + "data:image/png;" + "base64," + "iVBORw0KGgoAAAANSUhEUg",
}

#: What logs say and may say.
HARMLESS = """
{"event": "message_tried", "session_id": "0198c2aa-4915-7123-8123-491512345678", "timestamp": "12:00:00.491512"}
{"event": "api_request", "seconds": 0.491512345678, "request_id": "4a491512345678bc"}
postgresql://127.0.0.1:5432/postgres
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Gone at the end of the test, or the watch over this run would find what is planted."""
    with tempfile.TemporaryDirectory(prefix="herald-leaks-") as name:
        yield Path(name)


def test_every_form_is_found_and_told_without_its_value(folder: Path) -> None:
    assert LOOKS_LIKE.keys() == FORMS.keys()
    for number, text in enumerate(LOOKS_LIKE.values()):
        (folder / f"{number}.log").write_text(f"{HARMLESS}{text}\n")
    found = leaks([folder], folder / NOTES)
    assert sorted((leak.what, leak.file.name) for leak in found) == sorted(
        (what, f"{number}.log") for number, what in enumerate(LOOKS_LIKE)
    )
    assert {leak.line for leak in found} == {HARMLESS.count("\n") + 1}
    assert not any(text in str(leak) for leak in found for text in LOOKS_LIKE.values())


def test_what_was_noted_is_found_in_a_log_that_was_turned_over(folder: Path) -> None:
    (folder / NOTES).write_text("the kiln opens at nine\n")
    (folder / "worker.log.3").write_text('{"detail": "Failing row: the kiln opens at nine"}\n')
    (folder / "ledger.sqlite").write_text("the kiln opens at nine\n")  # no log
    assert [leak.file.name for leak in leaks([folder], folder / NOTES)] == ["worker.log.3"]


def run_of(folder: Path, *does: str) -> str:
    """Run a test that does this, as all are run; its exit code and what pytest said."""
    lines = [
        "import shutil",
        "from localstack.kept_logs import keep_logs, note_secrets",
        "",
        "def test_it(tmp_path):",
    ]
    lines += [f"    {line}" for line in does]
    (folder / "test_leak.py").write_text("\n".join(lines))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-c", str(REPOSITORY / "pyproject.toml"), str(folder / "test_leak.py")),
        ],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return f"exit code {done.returncode}\n{done.stdout}"


NOTED = "note_secrets(['the kiln opens at nine'])"


def test_a_run_that_leaks_nothing_passes(folder: Path) -> None:
    said = run_of(folder, NOTED, "(tmp_path / 'a.log').write_text('the kiln is cold')")
    assert said.startswith("exit code 0")
    assert "leak" not in said


def test_a_run_whose_tests_pass_fails_by_its_leaks(folder: Path) -> None:
    said = run_of(
        folder,
        NOTED,
        "(tmp_path / 'into-a-log.log').write_text('the kiln opens at nine')",
        "print('the kiln opens at nine')",
        "gone = tmp_path / 'gone'",
        "gone.mkdir()",
        "(gone / 'removed.log').write_text('49' + '15123456789')",
        "keep_logs(gone)",
        "shutil.rmtree(gone)",
    )
    assert said.startswith("exit code 1")
    assert "1 passed" in said
    for log in ("into-a-log.log", "terminal.log", "removed.log"):
        assert f"/{log}, line" in said
    assert "3 in all" in said
    assert "kiln" not in said
