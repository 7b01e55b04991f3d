"""A store's owner keeps it small without being asked."""

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
    """Keep house over a row of each age in days, until what is stored is as wanted."""
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


def test_earlier_days_move_and_those_past_keeping_go(tmp_path: Path) -> None:
    found = kept(tmp_path, 0, 1, 40, until=lambda it: (it.hot_rows, it.files) == (1, 1))
    assert (found.hot_rows, found.cold_rows, found.first_day) == (1, 1, "2026-11-22")


def test_a_table_has_a_retention_of_its_own(tmp_path: Path) -> None:
    found = kept(tmp_path, 0, 1, 40, until=lambda it: it.files == 2, days=50)
    assert found.first_day == "2026-10-14"


def test_a_busy_day_moves_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(Database.move_large, "__defaults__", (2,))
    found = kept(tmp_path, 0, 0, 0, until=lambda it: it.hot_rows == 0)
    assert (found.hot_rows, found.cold_rows) == (0, 3)
