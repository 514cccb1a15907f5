"""Where log lines go: standard error, or a log file that rotates itself. Neither ever stops the worker.

Messages matter more than the lines about them: a full disk or a reader that is gone drops lines, counts them, and
says so in the first line that gets through again.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol


class Sink(Protocol):
    """Takes one line at a time, its end included. Never raises."""

    def write(self, line: str) -> None:
        """Write it, or drop it."""


class StandardError:
    """Lines to stderr; dropped while nobody reads it."""

    def write(self, line: str) -> None:
        """See Sink."""
        with suppress(OSError, ValueError):
            sys.stderr.write(line)
            sys.stderr.flush()


class LogFile:
    """Appends to a file; at ``max_bytes`` it becomes ``name.1``, that ``name.2``, up to ``keep`` of them.

    Each line is in exactly one file, whole. Nobody has to be told when another program (logrotate, mv) has moved
    the file away: a line that comes after it goes into a new one.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        """Open it. Raises OSError if that is not possible."""
        self._path, self._max_bytes, self._keep = path, max_bytes, keep
        self._dropped = 0
        self._torn = False
        self._file = self._open()

    def write(self, line: str) -> None:
        """See Sink."""
        try:
            self._turn_over(len(line))
            if self._dropped:
                told = {"event": "log_lines_dropped", "level": "warning", "count": self._dropped}
                self._append(json.dumps(told) + "\n")
                self._dropped = 0
            self._append(line)
        except OSError:
            self._dropped += 1

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _append(self, line: str) -> None:
        """Write all of it; after a line that a full disk cut off, begin a new one."""
        rest = ("\n" + line if self._torn else line).encode()
        while rest:
            written = os.write(self._file, rest)
            rest = rest[written:]
            self._torn = bool(rest)

    def _turn_over(self, more: int) -> None:
        mine = os.fstat(self._file)
        try:
            there = self._path.stat()
        except FileNotFoundError:
            self._reopen()
            return
        if (there.st_ino, there.st_dev) != (mine.st_ino, mine.st_dev):
            self._reopen()
        elif mine.st_size and mine.st_size + more > self._max_bytes:
            with suppress(OSError):  # rather too long a file than a lost line
                for number in range(self._keep - 1, 0, -1):
                    with suppress(FileNotFoundError):
                        self._numbered(number).replace(self._numbered(number + 1))
                self._path.replace(self._numbered(1))
                self._reopen()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _reopen(self) -> None:
        former, self._file = self._file, self._open()
        os.close(former)
        self._torn = False
