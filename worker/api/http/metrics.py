"""Metrics for Prometheus: counts and durations. No label names a person or an organisation.

Sum a worker's own figures (sends, calls, its accounts, Realtime) over workers; the database's figures (queue, accounts)
are the same from each of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from worker.outcome import Outcome

#: Seconds; reads take 0.005, sends of text 0.1, calls that wait up to 30.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

#: Least time between two reads of the database's figures, seconds.
FIGURES_SECONDS = 10.0

#: The database's figures by name: (metric, what it is, label).
_FIGURES = {
    "queue": ("herald_queue_messages", "Open messages of all organisations.", "state"),
    "accounts": ("herald_accounts", "Accounts of all organisations by status.", "status"),
    "oldest": ("herald_queue_oldest_seconds", "How long the oldest due message waits.", ""),
}

Figures = Callable[[], Awaitable[Mapping[str, Mapping[str, float]] | None]]


class Metrics:
    """One worker's own registry."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, worker_id: str, version: str) -> None:
        self._registry = CollectorRegistry()
        info = Gauge("herald_worker_info", "1; which worker.", ["worker_id", "version"], registry=self._registry)
        info.labels(worker_id, version).set(1)
        self._requests = Histogram(
            "herald_api_request_seconds",
            "Calls of the HTTP API.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._settled = Counter("herald_sends", "Sends by outcome.", ["outcome"], registry=self._registry)
        self._read: list[tuple[Gauge, Callable[[], Mapping[str, float]]]] = []
        self._database = {name: self._gauge(*told) for name, told in _FIGURES.items()}
        self._up = self._gauge("herald_database_up", "1: the database told its figures.", "")
        self._ask: Figures | None = None
        self._asked = float("-inf")

    def watch(self, name: str, words: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Whenever Prometheus asks, show what a function returns, by label ("" if there is none)."""
        self._read.append((self._gauge(name, words, label), read))

    def ask(self, figures: Figures) -> None:
        """Where to ask for the database's figures."""
        self._ask = figures

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a call; route: its template, empty for what is no route."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def settled(self, outcome: Outcome) -> None:
        """Count a send by its outcome."""
        self._settled.labels(type(outcome).__name__.lower()).inc()

    async def exposition(self) -> bytes:
        """Write all metrics in Prometheus' format."""
        now = asyncio.get_running_loop().time()
        if self._ask and now - self._asked >= FIGURES_SECONDS:
            self._asked = now
            figures = await self._ask()
            self._up.set(figures is not None)
            for name, values in (figures or {}).items():
                _show(self._database[name], values)
        for gauge, read in self._read:
            _show(gauge, read())
        return generate_latest(self._registry)

    def _gauge(self, name: str, words: str, label: str) -> Gauge:
        return Gauge(name, words, [label] if label else [], registry=self._registry)


def _show(gauge: Gauge, values: Mapping[str, float]) -> None:
    if "" in values:
        gauge.set(values[""])
        return
    gauge.clear()
    for value, amount in values.items():
        gauge.labels(value).set(amount)
