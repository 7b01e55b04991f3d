"""Logging the failures of work that is tried again every few seconds."""

from __future__ import annotations

import logging

from driftline.errors import DriftlineError

__all__ = ["FailureLog"]


class FailureLog:
    """Logs a failure once, not at every attempt, until another failure or a success. Used by one thread."""

    def __init__(self, log: logging.Logger, message: str) -> None:
        """``message`` names what is waiting; the error follows after a colon."""
        self._log = log
        self._message = message
        self._last = ""

    def failed(self, error: Exception) -> None:
        """Log an error that differs from the last one; an error that is not driftline's own with its traceback."""
        expected = isinstance(error, DriftlineError | TimeoutError)
        text = str(error) if expected else repr(error)
        if text != self._last:
            self._log.error("%s: %s", self._message, text, exc_info=None if expected else error)
        self._last = text

    def succeeded(self) -> None:
        """Log the next failure again, even if it is the same."""
        self._last = ""
