"""What a store's owner does beside storing: rows to Parquet, small files to large ones, old days away.

A look each few seconds, for a flood fills the hot tables in less than a minute, and the terms of one file
then, which take some three seconds a million rows; all else by the hour.
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
"""How long rows are kept unless somebody says otherwise."""

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
    """Keep house until told to stop; ``days`` gives how long a table's rows are kept."""
    due = time.monotonic()
    while True:
        _tried(database.move_large)
        if time.monotonic() >= due:
            due = time.monotonic() + _HOUR
            _tried(lambda: _by_the_hour(database, now().date(), days))
        _tried(database.index_next)
        if stopping.wait(_LOOK_SECONDS):
            return


def _tried(work: Callable[[], object]) -> None:
    try:
        work()
    except StoreError as error:
        _log.error("the store's rows could not be moved: %s", error)


def _by_the_hour(database: Database, today: datetime.date, days: Callable[[str], int]) -> None:
    database.move_cold(today)
    database.compact()
    for name in TABLES:
        database.drop_before(name, today - datetime.timedelta(days=days(name)))
