"""Earlier days move to Parquet files, which are read, dropped, and removed after a crash."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from driftline.store.files.database import Database
from tests.store.rows import NOW, event, names, put

pytestmark = pytest.mark.timeout(240)


def test_earlier_days_move_to_parquet_and_are_still_found(database: Database, tmp_path: Path) -> None:
    yesterday = NOW - datetime.timedelta(days=1)
    put(database, event("old", yesterday), event("new"))
    moved = database.move_cold(NOW.date())

    assert (moved, database.move_cold(NOW.date())) == (1, 0)
    assert [path.parent.name for path in tmp_path.rglob("*.parquet")] == [f"date={yesterday.date()}"]
    assert names(database) == ["new", "old"]
    assert database.statistics()["CloudProcessEvents"].rows == 2


def test_drop_before_drops_earlier_days(database: Database, tmp_path: Path) -> None:
    put(database, event("old", NOW - datetime.timedelta(days=9)), event("new"))
    database.move_cold(NOW.date())

    assert database.drop_before("CloudProcessEvents", NOW.date()) == 1
    assert names(database) == ["new"]
    database.close()
    Database(tmp_path).close()  # no query reads them any more
    assert not list(tmp_path.rglob("*.parquet"))


def test_an_orphaned_parquet_file_is_removed_on_opening(tmp_path: Path) -> None:
    database = Database(tmp_path)
    database.sequence("s")
    put(database, event("old", NOW - datetime.timedelta(days=1)))
    database.move_cold(NOW.date())
    (file,) = tmp_path.rglob("*.parquet")
    (file.parent / "orphan.parquet").write_bytes(file.read_bytes())
    database.close()
    database = Database(tmp_path)

    assert names(database) == ["old"]
    assert list(tmp_path.rglob("*.parquet")) == [file]
    database.close()
