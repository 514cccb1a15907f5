"""Events of a session that are not yet known to be safe in the database: one JSON object per line.

An event is appended before it is sent to anybody, numbered from 1 upwards for as long as the session's folder
exists, and kept until it is acknowledged. A line that a crash tore in half is dropped: it was never sent. The
file lies on tmpfs beside the store, so a killed process loses nothing, and there is no fsync.
"""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worker.engine.framing import plain

Event = dict[str, Any]

#: How many acknowledged lines may pile up before the file is rewritten.
SLACK = 512


class Journal:
    """The journal of one open session. Several threads may use it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._pending, self._last = _read(path)
        self._lines = 0
        self._compact()

    def _forget(self, sequence: int) -> None:
        for known in [one for one in self._pending if one <= sequence]:
            del self._pending[known]

    def _compact(self) -> None:
        head = {"acked": min(self._pending, default=self._last + 1) - 1, "last": self._last}
        lines = [head, *self._pending.values()]
        fresh = self._path.with_suffix(".new")
        fresh.write_text("".join(json.dumps(line) + "\n" for line in lines))
        fresh.chmod(0o600)
        fresh.replace(self._path)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._lines = len(lines)

    def replay(self, tell: Callable[[Event], None]) -> None:
        """Call tell with every event that is not acknowledged, oldest first."""
        with self._lock:
            for event in self._pending.values():
                tell(event)

    def record(self, event: Event, tell: Callable[[Event], None]) -> None:
        """Number the event, write it, then call tell with it. Other threads wait, so events are told in order.

        A closed journal records nothing: its folder may be another engine's by then.
        """
        with self._lock:
            if self._file < 0:
                return
            numbered = plain(event) | {"seq": self._last + 1}
            _write(self._file, (json.dumps(numbered) + "\n").encode())
            self._last += 1
            self._lines += 1
            self._pending[self._last] = numbered
            tell(numbered)

    def acknowledge(self, sequence: int) -> None:
        """Forget all events up to this number."""
        with self._lock:
            self._forget(sequence)
            if self._file < 0:
                return
            if not self._pending or self._lines - len(self._pending) > SLACK:
                os.close(self._file)
                self._compact()
            else:
                _write(self._file, (json.dumps({"acked": sequence, "last": self._last}) + "\n").encode())
                self._lines += 1

    def close(self) -> None:
        """Close the file. What is not acknowledged stays in it."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


def unacknowledged(path: Path) -> list[Event]:
    """Read the events that a journal holds, oldest first. An engine may be writing to it."""
    return list(_read(path)[0].values())


def _read(path: Path) -> tuple[dict[int, Event], int]:
    """Read the events that are not acknowledged, by number, and the last number in use."""
    pending: dict[int, Event] = {}
    last = 0
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return pending, last
    for line in content.split(b"\n")[:-1]:  # what follows the last newline is torn
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "acked" in entry:
            for known in [one for one in pending if one <= int(entry["acked"])]:
                del pending[known]
            last = max(last, int(entry.get("last", entry["acked"])))
        elif isinstance(entry.get("seq"), int):
            pending[entry["seq"]] = entry
            last = max(last, entry["seq"])
    return pending, last


def _write(file: int, line: bytes) -> None:
    while line:
        line = line[os.write(file, line) :]
