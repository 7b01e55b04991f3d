"""How long to wait before a server is asked again, and what to say of that."""

from __future__ import annotations

import logging
import random

__all__ = ["Patience"]

_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Patience:
    """Pauses that grow while something fails. A complaint is logged when it changes, not each time."""

    def __init__(self, log: logging.Logger, *, failing: str, fine: str) -> None:
        """Take the words for what waits meanwhile, and for when it goes on."""
        self._log = log
        self._failing = failing
        self._fine = fine
        self._failures = 0
        self._complaint = ""

    def failed(self, complaint: str) -> float:
        """Give the seconds to wait: between half and all of the pause, so that a fleet does not come back as one."""
        if complaint != self._complaint:
            self._log.warning("%s: %s", self._failing, complaint)
        self._complaint = complaint
        pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
        self._failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 (no secret)

    def succeeded(self) -> None:
        """Begin anew."""
        if self._complaint:
            self._log.warning("%s", self._fine)
        self._complaint = ""
        self._failures = 0
