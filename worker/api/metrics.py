"""What Prometheus may know of this worker: counts and durations. No label names a person or an organisation."""

from collections.abc import Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from worker.outcome import Outcome

#: Seconds; sends of text take 0.1, calls 0.005.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One worker's own registry. ``watch`` gauges are read when Prometheus asks."""

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
        self._settled = Counter("herald_sends_total", "Sends by outcome.", ["outcome"], registry=self._registry)
        self._gauges: list[tuple[Gauge, Callable[[], Mapping[str, float]]]] = []

    def watch(self, name: str, words: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Show what a function says, by a label, whenever Prometheus asks."""
        self._gauges.append((Gauge(name, words, [label] if label else [], registry=self._registry), read))

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a call; route: its template, empty for what is no route."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def settled(self, outcome: Outcome) -> None:
        """Count a send by what came of it."""
        self._settled.labels(type(outcome).__name__.lower()).inc()

    def exposition(self) -> bytes:
        """Write all down as Prometheus reads it."""
        for gauge, read in self._gauges:
            values = read()
            if "" in values:
                gauge.set(values[""])
                continue
            gauge.clear()
            for value, amount in values.items():
                gauge.labels(value).set(amount)
        return generate_latest(self._registry)
