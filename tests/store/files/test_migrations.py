"""Stores of other versions are migrated or refused."""

from __future__ import annotations

import datetime
from pathlib import Path

import duckdb
import pytest

from driftline import wire
from driftline.errors import StoreError
from driftline.store.files.database import HOT, Database
from driftline.store.files.dedup import Batch
from tests.store.rows import event, names, put
from tests.wire import making

pytestmark = pytest.mark.timeout(240)


EVENTS = "CloudProcessEvents"
DAY = datetime.timedelta(days=1)


def test_a_missing_column_is_added_on_opening(tmp_path: Path) -> None:
    database = Database(tmp_path)
    database.sequence("s")
    put(database, event("old"))
    database._connection.execute('ALTER TABLE "CloudProcessEvents" DROP COLUMN "PodUid"')
    database.close()
    database = Database(tmp_path)
    put(database, event("new"), sequence=2)

    assert names(database) == ["new", "old"]
    database.close()


def at(when: datetime.datetime, first: int, name: str) -> Batch:
    return Batch("s", first, 0, {EVENTS: wire.table(EVENTS, [making.event(name, when=when)])})


def test_a_store_of_the_first_version_is_migrated(tmp_path: Path) -> None:
    database = Database(tmp_path)
    database.ingest([at(making.NOW - DAY, 1, "old")])
    database.move_cold(making.NOW.date())
    database.close()
    with duckdb.connect(tmp_path / HOT) as connection:
        for statement in (
            "DROP TABLE _version", "DROP TABLE _received",
            "ALTER TABLE _cold DROP COLUMN bytes", "ALTER TABLE _cold DROP COLUMN rows",
        ):  # fmt: skip
            connection.execute(statement)
    database = Database(tmp_path)
    found = database.statistics()[EVENTS]

    assert (found.cold_rows, found.files, found.bytes > 0) == (1, 1, True)
    assert names(database) == ["old"]
    database.close()


def test_a_store_of_a_later_version_is_refused(tmp_path: Path) -> None:
    Database(tmp_path).close()
    with duckdb.connect(tmp_path / HOT) as connection:
        connection.execute("INSERT INTO _version VALUES (1000)")
    with pytest.raises(StoreError, match="made by a later driftline"):
        Database(tmp_path)


def test_read_only_refuses_a_store_of_an_earlier_version(tmp_path: Path) -> None:
    Database(tmp_path).close()
    with duckdb.connect(tmp_path / HOT) as connection:
        connection.execute("UPDATE _version SET version = 2")
    with pytest.raises(StoreError, match=r"an earlier driftline made the store \(version 2"):
        Database(tmp_path, read_only=True)


def test_read_only_refuses_a_store_without_a_column_until_it_is_migrated(tmp_path: Path) -> None:
    Database(tmp_path).close()
    with duckdb.connect(tmp_path / HOT) as connection:
        connection.execute("ALTER TABLE AlertInfo DROP COLUMN Severity")
    with pytest.raises(StoreError, match="start its server or sensor once"):
        Database(tmp_path, read_only=True)
    Database(tmp_path).close()
    Database(tmp_path, read_only=True).close()
