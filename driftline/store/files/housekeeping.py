"""Housekeeping of a store: rows to Parquet, small files to larger ones, term indexes, retention.

Every few seconds it looks for large hot tables, which a flood of events fills in less than a minute,
and makes the term index of one file, which takes some three seconds for a million rows. All else
is done every hour.
"""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections.abc import Callable

from driftline.errors import StoreError
from driftline.events import TABLES
from driftline.store.files.database import Database

__all__ = ["KEPT_DAYS", "run_housekeeping"]

KEPT_DAYS = 30
"""Days for which rows are kept by default."""

_LOOK_SECONDS = 5.0
_HOUR = 3600.0
_log = logging.getLogger(__name__)


def run_housekeeping(
    database: Database,
    stopping: threading.Event,
    *,
    now: Callable[[], datetime.datetime],
    days: Callable[[str], int] = lambda _: KEPT_DAYS,
) -> None:
    """Keep a store's files in order until ``stopping`` is set.

    ``now`` returns the time in UTC, ``days`` the number of days for which a table's rows are kept. A
    step that fails is logged, and tried again the next time.
    """
    due = time.monotonic()
    while True:
        _attempt(database.move_large)
        if time.monotonic() >= due:
            due = time.monotonic() + _HOUR
            _attempt(lambda: _by_the_hour(database, now().date(), days))
        # One index at a time, for moving rows must not wait long: the flood goes on.
        _attempt(database.index_next)
        if stopping.wait(_LOOK_SECONDS):
            return


def _attempt(work: Callable[[], object]) -> None:
    try:
        work()
    except StoreError as error:
        _log.error("housekeeping of the store failed: %s", error)


# Retention is by whole days: a file goes once its day is older than the table's number of days.
def _by_the_hour(database: Database, today: datetime.date, days: Callable[[str], int]) -> None:
    database.move_cold(today)
    database.compact()
    for name in TABLES:
        database.drop_before(name, today - datetime.timedelta(days=days(name)))
