"""Notification of the alert ingestion that alert rows were stored, with the oldest of their times."""

from __future__ import annotations

import datetime
import threading

__all__ = ["Arrivals"]


class Arrivals:
    """The oldest time among the alert rows stored since the last call of ``wait``. Thread-safe.

    Code that stores ``AlertInfo`` rows in this process calls ``note`` after the commit. The notification only
    saves time: the ingestion also looks for rows at intervals. The oldest time matters because a sensor that
    was offline sends rows whose times are long past.
    """

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._oldest: datetime.datetime | None = None
        self._closed = False

    def note(self, oldest: datetime.datetime) -> None:
        """Notify that rows were stored, the oldest with this time (UTC)."""
        with self._arrived:
            self._oldest = min(oldest, self._oldest or oldest)
            self._arrived.notify_all()

    def wait(self, seconds: float) -> datetime.datetime | None:
        """Wait for rows, at most ``seconds``, and return their oldest time; ``None`` without a notification."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._oldest is not None or self._closed, seconds)
            oldest, self._oldest = self._oldest, None
            return oldest

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def close(self) -> None:
        """End the wait of the ingestion, for shutdown."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()
