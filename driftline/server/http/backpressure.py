"""A bound on the memory that batches in progress hold, in total and by sender.

A batch above the bound is refused with status 429 before its body is read; the sensor keeps the batch in its
spool and sends it again.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from driftline.errors import TooMany

__all__ = ["Room"]


class Room:
    """A budget of bytes that requests may hold at the same time. Not thread-safe: for one event loop."""

    def __init__(self, *, max_bytes: int, max_requests: int) -> None:
        """Allow ``max_bytes`` in total, and ``max_requests`` of one sender at the same time."""
        self._max_bytes = max_bytes
        self._max_requests = max_requests
        self._senders: Counter[str] = Counter()
        self.bytes = 0
        """Bytes held now."""

    @contextlib.contextmanager
    def take(self, sender: str, size: int) -> Iterator[None]:
        """Hold ``size`` bytes during the block.

        Raises ``TooMany`` if the sender has ``max_requests`` in progress, or the total would exceed ``max_bytes``.
        """
        if self._senders[sender] >= self._max_requests:
            raise TooMany(f"{self._max_requests} batches of this sensor are in progress already", seconds=1)
        # A request larger than the whole budget is still accepted when no other is in progress.
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
