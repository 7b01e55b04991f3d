"""Backoff: growing pauses between tries while a server fails, and log lines about it."""

from __future__ import annotations

import logging
import random

__all__ = ["Backoff"]

_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds after the first, second … failure in a row; the last one repeats."""


class Backoff:
    """Pauses that grow while an operation fails.

    A warning is logged when the error changes and when the operation succeeds again, not at each failure. Not
    thread-safe.
    """

    def __init__(self, log: logging.Logger, *, failing: str, fine: str) -> None:
        """Take the begin of the warning during failures, and the warning at the next success."""
        self._log = log
        self._failing = failing
        self._fine = fine
        self._failures = 0
        self._error = ""

    def failed(self, error: str) -> float:
        """Record a failure; return the seconds to wait before the next try.

        They are chosen at random between half of the pause and all of it, so that the sensors of a fleet do not
        return at the same moment.
        """
        if error != self._error:
            self._log.warning("%s: %s", self._failing, error)
        self._error = error
        # "Equal jitter": half fixed, half random.
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 (no secret)

    def succeeded(self) -> None:
        """Record a success: the next failure starts with the shortest pause."""
        if self._error:
            self._log.warning("%s", self._fine)
        self._error = ""
        self._failures = 0
