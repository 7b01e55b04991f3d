"""How the sensor's threads hand their results to its loop: a queue whose descriptor wakes it."""

from __future__ import annotations

import os
from collections import deque
from typing import Generic, TypeVar

__all__ = ["WakeupQueue"]

T = TypeVar("T")


class WakeupQueue(Generic[T]):
    """A queue from many threads to the one that waits on ``fileno``."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Give the descriptor that is readable while items wait."""
        return self._wake

    def put(self, item: T) -> None:
        """Add an item; any thread may."""
        self._items.append(item)
        os.eventfd_write(self._wake, 1)

    def take(self) -> list[T]:
        """Take all items that wait, oldest first; only the loop's thread may."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return []
        return [self._items.popleft() for _ in range(len(self._items))]

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._wake)
