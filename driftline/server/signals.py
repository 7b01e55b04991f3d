"""Waking those who wait for something to change.

A waiter remembers the number of the last signal it saw of a topic and waits for a higher one, so
that no signal is lost between its looking and its waiting. What changed is read from the state:
the signal carries nothing, and a waiter that was slow finds everything at once.

Signals come from threads (endpoints, the tailer), waiters live on the event loop.
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
    """Topics with numbers of signals."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()
        self._waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = defaultdict(set)
        self._closed = False
        self._streams = 0

    @property
    def closed(self) -> bool:
        """Whether the server is about to stop, and streams have to end."""
        return self._closed

    @property
    def streams(self) -> int:
        """How many live streams are open."""
        return self._streams

    @contextlib.contextmanager
    def streaming(self) -> Iterator[None]:
        """Count a live stream as open; on the event loop."""
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    def number(self, topic: str) -> int:
        """Give the number of the topic's last signal; 0 before the first."""
        return self._numbers[topic]

    def signal(self, topic: str) -> None:
        """Say that something about a topic changed; from any thread."""
        with self._lock:
            self._numbers[topic] += 1
            self._wake(topic)

    def close(self) -> None:
        """Let all waiters go, for good."""
        with self._lock:
            self._closed = True
            for topic in self._waiting:
                self._wake(topic)

    def _wake(self, topic: str) -> None:
        for loop, event in self._waiting[topic]:
            loop.call_soon_threadsafe(event.set)

    async def wait_change(self, topic: str, seen: int, *, seconds: float) -> bool:
        """Wait until the topic's number is above ``seen``; false if it is not after ``seconds``."""
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
