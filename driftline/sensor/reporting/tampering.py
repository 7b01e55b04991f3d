"""Detection of tampering with the running sensor, each finding reported once.

It covers the attacks that leave the sensor seemingly alive: detached programs, changed map entries. It cannot protect
against root on the node, who can replace the sensor itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

__all__ = ["TamperingMonitor"]


class TamperingMonitor:
    """Monitor that runs several checks and reports new findings."""

    def __init__(self, *checks: Callable[[], Iterable[str]]) -> None:
        """Take functions that return their present findings, as sentences."""
        self._checks = checks
        self._reported: frozenset[str] = frozenset()

    def new_findings(self) -> list[str]:
        """Run the checks; return the findings that the last call did not have, sorted."""
        found = frozenset(finding for check in self._checks for finding in check())
        new, self._reported = found - self._reported, found
        return sorted(new)
