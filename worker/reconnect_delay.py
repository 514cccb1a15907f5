"""How long to wait before the next try to connect. When a failed message is retried, retry_backoff.sql says."""

import random


def delay(attempt: int, rng: random.Random, *, base: float = 1.0, cap: float = 60.0) -> float:
    """Seconds to wait after the attempt-th failure in a row, counted from 1.

    Full jitter (a uniform draw below an exponential ceiling) spreads best when many sessions lose the same
    server at once; the floor of half a base keeps a lucky draw from being no wait at all. Never above cap.
    """
    doublings = min(max(attempt, 1) - 1, 64)  # 2.0**1024 would overflow; the cap is reached long before
    ceiling = min(cap, base * 2.0**doublings)
    return rng.uniform(min(base, cap) / 2, ceiling)
