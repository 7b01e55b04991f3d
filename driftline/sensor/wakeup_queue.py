"""Queue from the sensor's threads to its loop, with a descriptor that wakes the loop (eventfd(2))."""

from __future__ import annotations

import os
from collections import deque
from typing import Generic, TypeVar

__all__ = ["WakeupQueue"]

T = TypeVar("T")


class WakeupQueue(Generic[T]):
    """Unbounded queue from many threads to the one that waits on ``fileno``."""

    def __init__(self) -> None:
        """Create the event descriptor."""
        self._items: deque[T] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Return the descriptor, which is readable while items wait."""
        return self._wake

    def put(self, item: T) -> None:
        """Add an item and wake the loop. Any thread may call it."""
        self._items.append(item)
        os.eventfd_write(self._wake, 1)

    def take(self) -> list[T]:
        """Remove and return all waiting items, oldest first. Only the loop may call it."""
        # The counter is reset before the items are taken: an item that is added meanwhile wakes the loop again.
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return []
        return [self._items.popleft() for _ in range(len(self._items))]

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._wake)
