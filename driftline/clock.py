"""Constants of the clock that all packages share."""

from __future__ import annotations

import datetime

__all__ = ["EPOCH"]

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
"""The Unix epoch, aware: zero of every timestamp that driftline counts in microseconds or nanoseconds."""
