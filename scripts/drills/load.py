"""Calls at a fixed rate, whether or not the ones before have been answered.

A latency counts from the moment when a call was due, not from when it could be sent: a server that stalls is
charged for every call that had to wait meanwhile.
"""

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from scripts.drills.report import percentile

#: Calls under way at once; more means that the rate is above what the server can do.
MOST = 1000


@dataclass(slots=True)
class Load:
    """latencies: milliseconds of the calls that were answered with a 2xx; others: how many were not, by status."""

    rate: float
    latencies: list[float] = field(default_factory=list)
    others: Counter[int] = field(default_factory=Counter)
    overrun: bool = False  #: ended early: too many calls were under way

    def percentile(self, share: float) -> float:
        """Milliseconds below which this share of the calls was answered; endless if it never was."""
        found = percentile(self.latencies, share)
        return float("inf") if self.overrun or found is None else found

    def holds(self, milliseconds: float) -> bool:
        """Whether every call was answered with a 2xx, 99 of 100 within this time."""
        return not self.others and self.percentile(0.99) <= milliseconds


async def offer(rate: float, seconds: float, call: Callable[[int], Awaitable[int]]) -> Load:
    """Make calls for so long; ``call(number)`` gives the status, 0 if there was no answer."""
    load, clock = Load(rate), asyncio.get_running_loop().time
    under_way: set[asyncio.Task[None]] = set()
    gc.collect()
    gc.freeze()  # a full collection of this process would be charged to the server
    began = clock()

    async def one(number: int, due: float) -> None:
        status = await call(number)
        if 200 <= status < 300:
            load.latencies.append((clock() - due) * 1000)
        else:
            load.others[status] += 1

    for number in range(int(rate * seconds)):
        due = began + number / rate
        if (early := due - clock()) > 0:
            await asyncio.sleep(early)
        if len(under_way) >= MOST:
            load.overrun = True
            break
        task = asyncio.create_task(one(number, due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    return load


async def highest_rate(
    start: float, seconds: float, limit: float, call: Callable[[int], Awaitable[int]], say: Callable[[str], None]
) -> Load | None:
    """Find the highest rate at which 99 of 100 calls are answered within the limit (ms), to within a tenth."""
    best: Load | None = None
    low, high, rate = 0.0, float("inf"), start
    while high - low > low / 10:
        load = await offer(rate, seconds, call)
        say(f"{rate:.0f}/s: p99 {load.percentile(0.99):.1f} ms" + (f", {load.others}" if load.others else ""))
        if load.holds(limit):
            best, low = load, rate
        else:
            high = rate
        rate = low * 2 if high == float("inf") else (low + high) / 2
        if rate < 10:
            break
    return best
