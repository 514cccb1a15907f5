"""A log file turns over by itself, loses no line, and never stops the worker."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from worker.logs import configure_logs, log
from worker.process.log_file import LogFile, StandardError


def all_lines(path: Path) -> list[str]:
    """The lines of all files, the oldest first."""
    numbered = sorted(path.parent.glob(f"{path.name}.*"), key=lambda one: -int(one.suffix[1:]))
    files = [*numbered, *([path] if path.exists() else [])]  # between a move and the next line there is none
    return [line for file in files for line in file.read_text().splitlines()]


def test_every_line_is_in_exactly_one_file(tmp_path: Path) -> None:
    path = tmp_path / "herald.log"
    file = LogFile(path, max_bytes=1000, keep=100)
    written = [f"line {number} {'x' * (number % 60)}" for number in range(500)]
    for line in written:
        file.write(line + "\n")
    file.close()
    assert all_lines(path) == written
    assert len(list(tmp_path.iterdir())) > 10
    assert all(one.stat().st_size <= 1000 for one in tmp_path.iterdir())


def test_only_the_newest_full_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "herald.log"
    file = LogFile(path, max_bytes=50, keep=3)
    for number in range(100):
        file.write(f"line {number:03}\n")
    file.close()
    assert {one.name for one in tmp_path.iterdir()} == {"herald.log", *(f"herald.log.{n}" for n in (1, 2, 3))}
    assert all_lines(path)[-1] == "line 099"


def test_no_line_is_lost_when_another_program_moves_the_file_away(tmp_path: Path) -> None:
    path = tmp_path / "herald.log"
    file = LogFile(path, max_bytes=10**9, keep=10)
    done = threading.Event()
    written: list[str] = []

    def write() -> None:
        while not done.is_set():
            written.append(f"line {len(written)}")
            file.write(written[-1] + "\n")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(200, 0, -1):
            while not path.exists() or path.stat().st_size == 0:
                pass
            path.rename(tmp_path / f"herald.log.{number}")  # what logrotate does, without telling the worker
    finally:
        done.set()
        writer.join()
    file.close()
    assert all_lines(path) == written


def test_a_file_goes_on_where_a_former_worker_stopped(tmp_path: Path) -> None:
    path = tmp_path / "herald.log"
    for number in range(2):
        file = LogFile(path, max_bytes=1000, keep=1)
        file.write(f"run {number}\n")
        file.close()
    assert path.read_text() == "run 0\nrun 1\n"
    assert path.stat().st_mode & 0o007 == 0


def test_a_full_disk_drops_lines_and_says_how_many(tmp_path: Path) -> None:
    path = tmp_path / "herald.log"
    path.symlink_to("/dev/full")
    file = LogFile(path, max_bytes=1000, keep=1)
    for _ in range(3):
        file.write("lost\n")
    path.unlink()
    file.write("there is room again\n")
    file.close()
    told, line = path.read_text().splitlines()
    assert json.loads(told) == {"event": "log_lines_dropped", "level": "warning", "count": 3}
    assert line == "there is room again"


def test_nobody_who_reads_stderr_stops_nothing() -> None:
    program = (
        "from worker.process.log_file import StandardError\nimport os, sys\n"
        "for _ in range(3): StandardError().write('line\\n' * 1000)\nos.write(1, b'went on')\nos._exit(0)"
    )
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=writer, check=True, timeout=30
        )
    finally:
        os.close(writer)
    assert ended.stdout == b"went on"


def test_logs_go_to_the_file_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = LogFile(tmp_path / "herald.log", max_bytes=10**6, keep=1)
    configure_logs("INFO", file)
    try:
        log.info("worker_started", text="a body")
    finally:
        configure_logs("INFO", StandardError())
        file.close()
    assert capsys.readouterr().err == ""
    shown = json.loads((tmp_path / "herald.log").read_text())
    assert shown["event"] == "worker_started"
    assert shown["text"] == "[redacted]"
