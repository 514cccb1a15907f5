"""How many messages arrive per second, by the recipients' ledger."""

import json
from bisect import bisect_left, insort
from collections.abc import Iterable
from pathlib import Path
from statistics import median


class Arrivals:
    """Follows the growing ledger: when each text first arrived at anybody. Times are unix seconds."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._read = 0
        self._seen: dict[str, float] = {}
        self._times: list[float] = []

    def _look(self) -> None:
        with self._ledger.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]  # the last line may be half there
        self._read += len(whole)
        for line in whole.splitlines():
            entry = json.loads(line)
            if entry["text"] not in self._seen:
                self._seen[entry["text"]] = entry["arrived_at"]
                insort(self._times, entry["arrived_at"])

    def within(self, begin: float, end: float) -> int:
        """How many arrived from begin until end."""
        self._look()
        return bisect_left(self._times, end) - bisect_left(self._times, begin)

    def median_rate(self, begin: float, end: float) -> float:
        """The median number a second over the whole seconds of a time."""
        return median(self.within(begin + n, begin + n + 1) for n in range(int(end - begin))) if end > begin else 0

    def first_second(self, since: float, rate: float) -> float | None:
        """The end of the first second after a moment in which so many arrived; None if there was none yet."""
        self._look()
        for first in range(bisect_left(self._times, since), len(self._times)):
            last = first + max(int(rate), 1) - 1
            if last < len(self._times) and self._times[last] - self._times[first] < 1:
                return self._times[last]
        return None

    def first_of(self, texts: Iterable[str], since: float) -> float | None:
        """When the first of these texts arrived after a moment; None if none has yet."""
        self._look()
        return min((at for text in texts if (at := self._seen.get(text, since)) > since), default=None)
