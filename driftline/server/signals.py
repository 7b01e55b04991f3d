"""Signals that wake coroutines when the state changes.

A signal increments the number of its topic. A waiter remembers the number before it reads the state and then waits for
a higher one, so that no signal is lost between reading and waiting. A signal carries no data: the waiter reads the
changes from the state, and a slow waiter finds several changes at once.

Signals are sent from threads (endpoints, the alert ingest); waiters run on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator

__all__ = ["ALERTS", "CHANGES", "EVENTS", "HUNTS", "POLICIES", "Hub"]

ALERTS = "alerts"
"""Topic: an alert is new, was seen again or was changed."""
CHANGES = "changes"
"""Topic: an audited write was committed."""
EVENTS = "events"
"""Topic of the stream of hunting-table rows; nothing signals it, its readers poll."""
HUNTS = "hunts"
"""Topic that running hunts wait on for the server's stop; nothing signals it."""
POLICIES = "policies"
"""Topic: a policy has a new version in force."""


class Hub:
    """The topics with the numbers of their signals. Thread-safe, where a method does not say otherwise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()
        self._waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)
        self._closed = False
        self._streams = 0

    @property
    def closed(self) -> bool:
        """Whether the server is stopping, so that streams have to end."""
        return self._closed

    @property
    def streams(self) -> int:
        """Number of open live streams."""
        return self._streams

    @contextlib.contextmanager
    def streaming(self) -> Iterator[None]:
        """Count a live stream as open during the block; on the event loop only."""
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    def number(self, topic: str) -> int:
        """Return the number of the last signal of a topic; 0 before the first."""
        return self._numbers[topic]

    def signal(self, topic: str) -> None:
        """Wake the waiters of a topic; from any thread."""
        with self._lock:
            self._numbers[topic] += 1
            self._wake(topic)

    def close(self) -> None:
        """Wake all waiters, and let no new one wait: the server is stopping."""
        with self._lock:
            self._closed = True
            for topic in self._waiting:
                self._wake(topic)

    def _wake(self, topic: str) -> None:
        for loop, event in self._waiting[topic]:
            loop.call_soon_threadsafe(event.set)

    async def wait_change(self, topic: str, seen: int, *, seconds: float) -> bool:
        """Wait until the number of a topic is above ``seen``; returns false after ``seconds``, or when closed."""
        event = asyncio.Event()
        entry = (asyncio.get_running_loop(), event)
        with self._lock:
            self._waiting[topic].add(entry)
        try:
            async with asyncio.timeout(seconds):
                while self._numbers[topic] <= seen and not self._closed:
                    event.clear()
                    await event.wait()
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._waiting[topic].discard(entry)
        return self._numbers[topic] > seen
