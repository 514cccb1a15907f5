"""ecosystem.config.js, as PM2 reads it: what each worker gets, and what agrees with the worker's own code."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from localstack.layout import REPOSITORY
from worker.__main__ import Exit
from worker.sessions.supervisor import DRAIN_SECONDS, SETTLE_SECONDS
from worker.supabase.client import ATTEMPT_SECONDS

SECRET = "sb_secret_of_the_shell"


def node(env_file: Path | None, environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    given = {"PATH": os.environ["PATH"], "SUPABASE_SERVICE_KEY": SECRET, **environ}
    if env_file:
        given["HERALD_ENV_FILE"] = str(env_file)
    program = "process.stdout.write(JSON.stringify(require('./ecosystem.config.js')))"
    return subprocess.run(
        ["node", "-e", program], cwd=REPOSITORY, env=given, capture_output=True, text=True, check=False, timeout=30
    )


def apps(folder: Path, text: str, **environ: str) -> list[dict[str, Any]]:
    """The workers that a settings' file with this text makes."""
    file = folder / "herald.env"
    file.write_text(text)
    logs = {"HERALD_LOG_DIR": str(folder / "logs")}
    said = node(file, logs | environ)
    assert said.returncode == 0, said.stderr
    assert SECRET not in said.stdout
    found: list[dict[str, Any]] = json.loads(said.stdout)["apps"]
    return found


def test_each_worker_has_a_name_a_port_a_folder_and_a_log_of_its_own(tmp_path: Path) -> None:
    text = "HERALD_WORKERS=3\nexport WORKER_ID='vps'\nPORT=\"4000\"  # the first\nSTATE_DIR=/run/herald\n"
    found = apps(tmp_path, text)
    assert [app["name"] for app in found] == ["herald-1", "herald-2", "herald-3"]
    assert [app["env"]["WORKER_ID"] for app in found] == ["vps", "vps-2", "vps-3"]
    assert [app["env"]["PORT"] for app in found] == ["4000", "4001", "4002"]
    assert [app["env"]["STATE_DIR"] for app in found] == ["/run/herald", "/run/herald-2", "/run/herald-3"]
    assert len({app["env"]["LOG_FILE"] for app in found}) == 3
    assert all(Path(app["env"]["LOG_FILE"]).parent == tmp_path / "logs" for app in found)
    assert (tmp_path / "logs").is_dir()


def test_workers_that_share_a_port_all_get_it(tmp_path: Path) -> None:
    found = apps(tmp_path, "HERALD_WORKERS=2\nREUSE_PORT=true\nPORT=4000\n")
    assert [app["env"]["PORT"] for app in found] == ["4000", "4000"]


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    [app] = apps(tmp_path, "HERALD_WORKERS=3\nPORT=4000\n", HERALD_WORKERS="1", PORT="5000")
    assert app["env"]["PORT"] == "5000"


def test_without_settings_there_is_one_worker_as_the_worker_itself_would_be(tmp_path: Path) -> None:
    [app] = apps(tmp_path, "")
    assert (app["env"]["PORT"], app["env"]["WORKER_ID"]) == ("3000", os.uname().nodename)
    assert app["env"]["STATE_DIR"] == f"/dev/shm/herald-{os.getuid()}"  # noqa: S108


@pytest.mark.parametrize("workers", ["0", "two", "1.5", "65"])
def test_a_wrong_number_of_workers_is_told(tmp_path: Path, workers: str) -> None:
    file = tmp_path / "herald.env"
    file.write_text(f"HERALD_WORKERS={workers}\n")
    said = node(file, {})
    assert said.returncode != 0
    assert "HERALD_WORKERS must be a whole number from 1 to 64" in said.stderr


def test_a_missing_settings_file_is_told(tmp_path: Path) -> None:
    said = node(tmp_path / "none.env", {})
    assert said.returncode != 0
    assert "none.env" in said.stderr


def test_what_it_says_agrees_with_the_workers_code(tmp_path: Path) -> None:
    [app] = apps(tmp_path, "")
    assert app["stop_exit_codes"] == [Exit.SETTINGS, Exit.REPLACED]
    assert app["kill_timeout"] >= 1000 * (DRAIN_SECONDS + SETTLE_SECONDS + 3 * ATTEMPT_SECONDS)
    assert (app["treekill"], app["wait_ready"], app["exec_mode"]) == (False, True, "fork")
