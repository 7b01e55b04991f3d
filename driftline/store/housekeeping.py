"""What a store's owner does beside storing: rows to Parquet, small files to large ones, old days away.

A look each few seconds, for a flood fills the hot tables in less than a minute; all else by the hour.
"""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections.abc import Callable, Mapping

from driftline.errors import StoreError
from driftline.events import TABLES
from driftline.store.database import Database

__all__ = ["KEPT_DAYS", "keep_house"]

KEPT_DAYS = 30
"""How long rows are kept unless a table has a retention of its own."""

_LOOK_SECONDS = 5.0
_HOUR = 3600.0
_log = logging.getLogger(__name__)


def keep_house(
    database: Database,
    stopping: threading.Event,
    *,
    now: Callable[[], datetime.datetime],
    retention: Mapping[str, int] | None = None,
) -> None:
    """Keep house until told to stop; ``retention`` is days by table, others have ``KEPT_DAYS``."""
    due = time.monotonic()
    while True:
        _tried(database.move_large)
        if time.monotonic() >= due:
            due = time.monotonic() + _HOUR
            _tried(lambda: _by_the_hour(database, now().date(), retention or {}))
        if stopping.wait(_LOOK_SECONDS):
            return


def _tried(work: Callable[[], object]) -> None:
    try:
        work()
    except StoreError as error:
        _log.error("the store's rows could not be moved: %s", error)


def _by_the_hour(database: Database, today: datetime.date, retention: Mapping[str, int]) -> None:
    database.move_cold(today)
    database.compact()
    for name in TABLES:
        database.drop_before(name, today - datetime.timedelta(days=retention.get(name, KEPT_DAYS)))
