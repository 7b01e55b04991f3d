"""Telling the tailer that rows arrived, and how far back their times lie."""

from __future__ import annotations

import datetime
import threading

__all__ = ["Arrivals"]


class Arrivals:
    """The oldest time among the alert rows stored since the tailer last looked.

    Whoever stores ``AlertInfo`` rows in this process calls ``note`` after the commit. Without it
    alerts come too, only later: the tailer looks by itself.
    """

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._oldest: datetime.datetime | None = None
        self._closed = False

    def note(self, oldest: datetime.datetime) -> None:
        """Say that rows are there, the oldest of this time."""
        with self._arrived:
            self._oldest = min(oldest, self._oldest or oldest)
            self._arrived.notify_all()

    def wait(self, seconds: float) -> datetime.datetime | None:
        """Wait for rows and give the oldest time since the last call; ``None`` if none were told."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._oldest is not None or self._closed, seconds)
            oldest, self._oldest = self._oldest, None
            return oldest

    @property
    def closed(self) -> bool:
        """Whether the waiting is over."""
        return self._closed

    def close(self) -> None:
        """Let the tailer go."""
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()
