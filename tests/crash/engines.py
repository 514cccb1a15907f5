"""Finds the engine process that holds an account."""

from pathlib import Path

from scripts.drills.worker_process import Worker


def engine_of(worker: Worker, session: str) -> int:
    """The process that has the session's store open; 0 if none has."""
    assert worker.process
    pid = worker.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        for handle in Path(f"/proc/{child}/fd").glob("*"):
            try:
                target = str(handle.readlink())
            except OSError:
                continue
            if f"/{session}/store.db" in target:
                return int(child)
    return 0
