"""Housekeeping moves, merges and drops rows without being asked."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from driftline import wire
from driftline.store.files import housekeeping
from driftline.store.files.database import Database
from driftline.store.files.dedup import Batch
from driftline.store.query.messages import TableStatistics
from tests.wire import making

EVENTS = "CloudProcessEvents"
DAY = datetime.timedelta(days=1)


def kept(directory: Path, *ages: int, until: Callable[[TableStatistics], bool], days: int = 30) -> TableStatistics:
    """Run housekeeping over a row of each age in days until the statistics satisfy ``until``; return them."""
    database, stopping = Database(directory), threading.Event()
    rows = [making.event(str(age), when=making.NOW - DAY * age) for age in ages]
    database.ingest([Batch("s", 1, 0, {EVENTS: wire.table(EVENTS, rows)})])
    keep = partial(housekeeping.run_housekeeping, database, stopping, now=lambda: making.NOW, days=lambda _: days)
    thread = threading.Thread(target=keep)
    thread.start()
    deadline = time.monotonic() + 20
    while not until(found := database.statistics()[EVENTS]) and time.monotonic() < deadline:
        time.sleep(0.02)
    stopping.set()
    thread.join()
    database.close()
    return found


def test_housekeeping_moves_earlier_days_and_drops_days_beyond_retention(tmp_path: Path) -> None:
    found = kept(tmp_path, 0, 1, 40, until=lambda it: (it.hot_rows, it.files) == (1, 1))
    assert (found.hot_rows, found.cold_rows, found.first_day) == (1, 1, "2026-11-22")


def test_retention_is_set_by_table(tmp_path: Path) -> None:
    found = kept(tmp_path, 0, 1, 40, until=lambda it: it.files == 2, days=50)
    assert found.first_day == "2026-10-14"


def test_a_table_over_the_row_limit_moves_before_the_day_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(Database.move_large, "__defaults__", (2,))
    found = kept(tmp_path, 0, 0, 0, until=lambda it: it.hot_rows == 0)
    assert (found.hot_rows, found.cold_rows) == (0, 3)
