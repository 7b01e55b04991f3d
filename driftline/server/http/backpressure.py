"""A bound on the memory that batches in progress hold, shared fairly between senders.

Bytes count as they arrive, so a sender holds what it has sent, whatever length it declared. When the room is full, a
sender that holds less takes it from the one that holds most: that sender's largest batch that is still being read is
refused with status 429, and it sends it again from its spool.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator

from driftline.errors import TooMany

__all__ = ["Held", "Room"]


class Room:
    """A budget of bytes that requests may hold at the same time. Not thread-safe: for one event loop."""

    def __init__(self, *, max_bytes: int, max_requests: int) -> None:
        """Allow ``max_bytes`` in total, and ``max_requests`` of one sender at the same time."""
        self._max_bytes = max_bytes
        self._max_requests = max_requests
        self._senders: defaultdict[str, set[Held]] = defaultdict(set)
        self.bytes = 0
        """Bytes held now."""

    @contextlib.contextmanager
    def enter(self, sender: str, on_displaced: Callable[[], None]) -> Iterator[Held]:
        """Enter a request of a sender, which holds no bytes yet; the end of the block releases what it holds.

        ``on_displaced`` is called when another sender takes its room: its reading has to stop. Raises ``TooMany`` if
        the sender has ``max_requests`` in progress.
        """
        if len(self._senders[sender]) >= self._max_requests:
            raise TooMany(f"{self._max_requests} batches of this sensor are in progress already", seconds=1)
        held = Held(self, sender, on_displaced)
        self._senders[sender].add(held)
        try:
            yield held
        finally:
            self._release(held)
            self._senders[sender].discard(held)
            if not self._senders[sender]:
                del self._senders[sender]

    def held_by(self, sender: str) -> int:
        """Return the bytes that the requests of a sender hold."""
        return sum(held.size for held in self._senders.get(sender, ()))

    def _grow(self, held: Held, size: int) -> None:
        while self.bytes and self.bytes + size > self._max_bytes:
            if not self._displace_for(held, size):
                raise TooMany(f"the server holds {self.bytes} bytes of batches already", seconds=1)
        held.size += size
        self.bytes += size

    # Only senders that hold more than the newcomer would are displaced, so that two cannot displace each other in turn.
    def _displace_for(self, newcomer: Held, size: int) -> bool:
        most = self.held_by(newcomer.sender) + size
        found: Held | None = None
        for sender, requests in self._senders.items():
            total = self.held_by(sender)
            reading = [held for held in requests if held.is_reading and held.size]
            if sender != newcomer.sender and total > most and reading:
                most, found = total, max(reading, key=lambda held: held.size)
        if found is None:
            return False
        self._release(found)
        found.is_displaced, found.is_reading = True, False
        found.on_displaced()
        return True

    def _release(self, held: Held) -> None:
        self.bytes -= held.size
        held.size = 0


class Held:
    """The bytes that one request holds."""

    def __init__(self, room: Room, sender: str, on_displaced: Callable[[], None]) -> None:
        self._room = room
        self.sender = sender
        self.on_displaced = on_displaced
        self.size = 0
        self.is_reading = True
        self.is_displaced = False

    def grow(self, size: int) -> None:
        """Hold so many bytes more; raises ``TooMany`` if there is no room, or another sender took it."""
        if self.is_displaced:
            raise TooMany("the server holds too many bytes of this sensor's batches", seconds=1)
        self._room._grow(self, size)

    def keep(self) -> None:
        """Hold the bytes until the end of the request: it has arrived as a whole."""
        self.is_reading = False
