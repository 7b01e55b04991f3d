"""The server's clock, given to its parts so that tests can set the time."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Clock", "utc_now"]


def utc_now() -> datetime.datetime:
    """Return the current time, aware, in UTC."""
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """A source of the current time."""

    now: Callable[[], datetime.datetime] = utc_now
    """Returns the current time, aware, in UTC."""
