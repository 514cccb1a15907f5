"""The fence of every write about a session."""

from typing import Any
from uuid import UUID

from worker.session import Held


def fence(run: UUID, held: Held) -> dict[str, Any]:
    """The arguments that fence a write about a session: it counts only under this run's lease and epoch."""
    return {"p_run": str(run), "p_session": str(held.session_id), "p_epoch": held.epoch}
