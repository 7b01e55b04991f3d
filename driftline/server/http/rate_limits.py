"""Rate limits for requests, logins and hunts, counted in memory with sliding windows."""

from __future__ import annotations

import time
from collections.abc import Mapping

import limits
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from driftline.errors import TooMany

__all__ = ["Limiter"]


class Limiter:
    """Named limits: the maximum number of uses a minute, for each key (a user, token or address)."""

    def __init__(self, per_minute: Mapping[str, int]) -> None:
        self._items = {name: limits.RateLimitItemPerMinute(count) for name, count in per_minute.items()}
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, name: str, key: str) -> None:
        """Count one use of the limit ``name`` by ``key``; raises ``TooMany`` when the limit is exceeded."""
        item = self._items[name]
        if self._windows.hit(item, name, key):
            return
        reset = self._windows.get_window_stats(item, name, key).reset_time
        seconds = max(1.0, reset - time.time())
        raise TooMany(f"more than {item.amount} a minute ({name}); try again in {seconds:.0f} s", seconds=seconds)
