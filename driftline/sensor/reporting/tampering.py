"""What somebody did to the running sensor: each thing told once.

Root on the node can do worse than this sees (stop the sensor, or be it); what is seen is what is tried
first, and leaves the sensor looking alive: its programs detached, its tables and its policy rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["TamperingMonitor"]


class TamperingMonitor:
    """Looks from several places."""

    def __init__(self, *looks: Callable[[], Iterable[str]]) -> None:
        """Take functions that each say, in words, what they find as of now."""
        self._looks = looks
        self._told: frozenset[str] = frozenset()

    def news(self) -> list[str]:
        """Give what was not there at the last call."""
        found = frozenset(said for look in self._looks for said in look())
        news, self._told = found - self._told, found
        return sorted(news)
