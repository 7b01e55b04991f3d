"""How long to wait before a server is asked again, and what to say of that."""

from __future__ import annotations

import logging
import random

__all__ = ["Backoff"]

_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Backoff:
    """Pauses that grow while something fails. An error is logged when it changes, not each time."""

    def __init__(self, log: logging.Logger, *, failing: str, fine: str) -> None:
        """Take the words for what waits meanwhile, and for when it goes on."""
        self._log = log
        self._failing = failing
        self._fine = fine
        self._failures = 0
        self._error = ""

    def failed(self, error: str) -> float:
        """Give the seconds to wait: between half and all of the pause, so that a fleet does not come back as one."""
        if error != self._error:
            self._log.warning("%s: %s", self._failing, error)
        self._error = error
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 (no secret)

    def succeeded(self) -> None:
        """Begin anew."""
        if self._error:
            self._log.warning("%s", self._fine)
        self._error = ""
        self._failures = 0
