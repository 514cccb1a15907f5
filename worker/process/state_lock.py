"""One process at a time on a state folder."""

import fcntl
from pathlib import Path
from typing import IO

from worker.errors import InUse, SettingsError


def lock_state(folder: Path) -> IO[str]:
    """Make the folder and lock it until the file is closed. Raises SettingsError, InUse."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "worker.lock").open("w")
    except OSError as error:
        raise SettingsError(f"STATE_DIR: can't be used ({error.strerror}); name a writable folder") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise InUse("STATE_DIR: another worker runs on it; stop it, or name another folder") from None
    return lock
