"""What /health says, and the figures that the worker itself gives to /metrics."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog

from worker.api.http.metrics import Metrics
from worker.sessions.supervisor import Supervisor
from worker.settings import Settings
from worker.supabase.realtime.wakeups import Wakeups

log = structlog.get_logger()


class Health:
    """Ready: heartbeats succeed, no other calls have failed for a lease's time, and the worker is not stopping.

    first_answer: is called once, when the worker is ready for the first time.
    """

    def __init__(
        self,
        settings: Settings,
        version: str,
        stop: asyncio.Event,
        first_answer: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._version = version
        self._stop = stop
        self._first_answer = first_answer
        self._clock = clock
        self._last_heartbeat: float | None = None
        self._failing: dict[str, float] = {}  #: kind of call → since when it fails without a success
        self._told: set[str] = set()
        self._supervisor: Supervisor
        self._wakeups: Wakeups

    def watch(self, supervisor: Supervisor, wakeups: Wakeups, metrics: Metrics) -> None:
        """Say whose state is shown."""
        self._supervisor, self._wakeups = supervisor, wakeups
        metrics.watch("herald_sessions", "Accounts of this worker.", "state", lambda: supervisor.counts)
        metrics.watch("herald_realtime_live", "1: Realtime gives hints.", "", lambda: {"": float(wakeups.live)})

    def heard(self, kind: str, answered: bool) -> None:
        """Note what came of a call: ``sessions`` (the heartbeat), ``queue`` (settle and claim), ``commands``."""
        now = self._clock()
        if answered:
            self._failing.pop(kind, None)
            if kind in self._told:
                self._told.remove(kind)
                log.info("database_calls_work_again", kind=kind)
            if kind == "sessions":
                if self._last_heartbeat is None:
                    self._first_answer()
                self._last_heartbeat = now
            return
        since = self._failing.setdefault(kind, now)
        if now - since >= self._settings.lease_seconds and kind not in self._told:
            self._told.add(kind)
            log.error("database_calls_fail", kind=kind, seconds=round(now - since))

    @property
    def ready(self) -> bool:
        """Whether it serves its accounts now."""
        now, lease = self._clock(), self._settings.lease_seconds
        beats = self._last_heartbeat is not None and now - self._last_heartbeat < lease
        fails = any(now - since >= lease for since in self._failing.values())
        return beats and not fails and not self._stop.is_set()

    def __call__(self) -> dict[str, Any]:
        """Tell the state now."""
        return {
            "live": True,
            "ready": self.ready,
            "worker_id": self._settings.worker_id,
            "version": self._version,
            "realtime": self._wakeups.live,
            "sessions": self._supervisor.counts,
        }
