"""What /health says, and the figures that the worker itself gives to /metrics."""

import asyncio
from collections.abc import Callable
from typing import Any

from worker.api.http.metrics import Metrics
from worker.sessions.supervisor import Supervisor
from worker.settings import Settings
from worker.supabase.realtime.wakeups import Wakeups


class Health:
    """Ready: the database answered within a lease's time, and the worker is not stopping.

    first_answer: is called once, when the worker is ready for the first time.
    """

    def __init__(
        self, settings: Settings, version: str, stop: asyncio.Event, first_answer: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._version = version
        self._stop = stop
        self._first_answer = first_answer
        self._last_answer: float | None = None
        self._supervisor: Supervisor
        self._wakeups: Wakeups

    def watch(self, supervisor: Supervisor, wakeups: Wakeups, metrics: Metrics) -> None:
        """Say whose state is shown."""
        self._supervisor, self._wakeups = supervisor, wakeups
        metrics.watch("herald_sessions", "Accounts of this worker.", "state", lambda: supervisor.counts)
        metrics.watch("herald_realtime_live", "1: Realtime gives hints.", "", lambda: {"": float(wakeups.live)})

    def answered(self) -> None:
        """The database has answered."""
        if self._last_answer is None:
            self._first_answer()
        self._last_answer = asyncio.get_running_loop().time()

    def __call__(self) -> dict[str, Any]:
        """Tell the state now."""
        now = asyncio.get_running_loop().time()
        ready = self._last_answer is not None and now - self._last_answer < self._settings.lease_seconds
        return {
            "live": True,
            "ready": ready and not self._stop.is_set(),
            "worker_id": self._settings.worker_id,
            "version": self._version,
            "realtime": self._wakeups.live,
            "sessions": self._supervisor.counts,
        }
