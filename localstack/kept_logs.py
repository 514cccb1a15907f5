"""Keeps logs that would be deleted with their folder, and notes what no log may contain.

Only where HERALD_KEEP_LOGS names a folder: the tests do, and look through it when they end (tests/canaries.py).
"""

import os
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

VARIABLE = "HERALD_KEEP_LOGS"

#: The file of values that no log may contain, in the folder that the variable names.
NOTES = "notes"

#: Shorter values, and values of fewer different characters, occur in logs by chance.
SHORTEST, LEAST_DIFFERENT = 8, 6


def keep_logs(folder: Path) -> None:
    """Keep the logs below a folder that is about to be removed."""
    if not (kept := os.environ.get(VARIABLE)):
        return
    place = Path(kept) / secrets.token_hex(4)
    for path in folder.rglob("*.log*"):
        with suppress(FileNotFoundError):  # rotated meanwhile
            if path.is_file():
                copy = place / path.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)


def note_secrets(texts: Iterable[str]) -> None:
    """Note values that no log may contain, one per line."""
    if not (kept := os.environ.get(VARIABLE)):
        return
    lines = {line.strip() for text in texts for line in text.splitlines()}
    telling = [line for line in lines if len(line) >= SHORTEST and len(set(line)) >= LEAST_DIFFERENT]
    noted = "".join(f"{line}\n" for line in telling)
    with (Path(kept) / NOTES).open("a") as notes:  # one write, so that other processes' lines stay whole
        notes.write(noted)
