"""scripts/setup gives a folder the herald command, and the command runs from anywhere."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from localstack.layout import REPOSITORY

LOCKS = ("requirements/dev.lock", "package-lock.json", "supabase/functions/deno.lock")


def run(program: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def set_up_before_there_was_a_herald_command(folder: Path) -> None:
    """A project whose three stamps are as scripts/setup leaves them."""
    (folder / "scripts").mkdir()
    for name in ("setup", "herald"):
        shutil.copy(REPOSITORY / "scripts" / name, folder / "scripts")
    contents = {}
    for name in LOCKS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, folder / name)
        contents[name] = (folder / name).read_bytes()
    python, node, deno = LOCKS
    stamps = {
        ".venv/bin": contents[python],
        "node_modules": contents[node],
        ".deno": contents[python] + contents[deno],
    }
    for name, content in stamps.items():
        (folder / name).mkdir(parents=True)
        (folder / name.removesuffix("/bin") / "herald-stamp").write_text(hashlib.sha256(content).hexdigest())


def test_setup_makes_the_command_where_only_it_is_missing(tmp_path: Path) -> None:
    set_up_before_there_was_a_herald_command(tmp_path)
    done = run(tmp_path / "scripts/setup", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "setup: done\n")
    assert (tmp_path / ".venv/bin/herald").resolve() == tmp_path / "scripts/herald"
    assert run(tmp_path / "scripts/setup", cwd=tmp_path).stderr == ""  # nothing is left to do


def test_the_command_runs_by_a_link_from_a_folder_with_a_worker_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker/__init__.py").write_text("raise SystemExit('not Herald')")
    (tmp_path / "herald").symlink_to(REPOSITORY / "scripts/herald")
    done = run(tmp_path / "herald", "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "doctor" in done.stdout
    assert os.access(REPOSITORY / "scripts/herald", os.X_OK)
