"""A snapshot shows one moment, and is tracked while it is open."""

from __future__ import annotations

import math

import duckdb
import pytest

from driftline.errors import StoreError
from driftline.store.files.snapshots import Snapshots


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("CREATE TABLE t AS SELECT 1 AS a")
    return made


def test_a_snapshot_does_not_see_later_rows(connection: duckdb.DuckDBPyConnection) -> None:
    with Snapshots(connection).open() as cursor:
        before = cursor.execute("FROM t").fetchall()
        connection.execute("INSERT INTO t VALUES (2)")
        assert cursor.execute("FROM t").fetchall() == before


def test_oldest_start_is_that_of_the_oldest_open_snapshot(connection: duckdb.DuckDBPyConnection) -> None:
    snapshots = Snapshots(connection)
    with snapshots.open():
        first = snapshots.oldest_start()
        with snapshots.open():
            assert snapshots.oldest_start() == first < math.inf
    assert snapshots.oldest_start() == math.inf


def test_a_failed_snapshot_is_closed(connection: duckdb.DuckDBPyConnection) -> None:
    snapshots = Snapshots(connection)
    with pytest.raises(StoreError), snapshots.open() as cursor:
        cursor.execute("FROM missing")

    assert snapshots.oldest_start() == math.inf
