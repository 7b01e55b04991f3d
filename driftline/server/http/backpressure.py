"""Back-pressure before memory grows: what is under way is bounded, in all and by sender."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from driftline.errors import TooMany

__all__ = ["Room"]


class Room:
    """Bytes that requests may hold at a time. Used by one event loop."""

    def __init__(self, *, max_bytes: int, max_requests: int) -> None:
        """Allow so many bytes in all, and so many requests of one sender at a time."""
        self._max_bytes = max_bytes
        self._max_requests = max_requests
        self._senders: Counter[str] = Counter()
        self.bytes = 0
        """Held now."""

    @contextlib.contextmanager
    def take(self, sender: str, size: int) -> Iterator[None]:
        """Hold ``size`` bytes during the block; raises ``TooMany`` if there is no room."""
        if self._senders[sender] >= self._max_requests:
            raise TooMany(f"{self._max_requests} batches of this sensor are under way already", seconds=1)
        if self.bytes and self.bytes + size > self._max_bytes:
            raise TooMany(f"the server holds {self.bytes} bytes of batches already", seconds=1)
        self._senders[sender] += 1
        self.bytes += size
        try:
            yield
        finally:
            self.bytes -= size
            self._senders[sender] -= 1
            if not self._senders[sender]:
                del self._senders[sender]
