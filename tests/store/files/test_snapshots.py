"""A snapshot shows one moment, and is known of while it is open."""

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


def test_what_comes_later_is_not_seen(connection: duckdb.DuckDBPyConnection) -> None:
    with Snapshots(connection).open() as cursor:
        before = cursor.execute("FROM t").fetchall()
        connection.execute("INSERT INTO t VALUES (2)")
        assert cursor.execute("FROM t").fetchall() == before


def test_the_oldest_open_one_is_known(connection: duckdb.DuckDBPyConnection) -> None:
    snapshots = Snapshots(connection)
    with snapshots.open():
        first = snapshots.oldest_start()
        with snapshots.open():
            assert snapshots.oldest_start() == first < math.inf
    assert snapshots.oldest_start() == math.inf


def test_one_that_fails_is_closed(connection: duckdb.DuckDBPyConnection) -> None:
    snapshots = Snapshots(connection)
    with pytest.raises(StoreError), snapshots.open() as cursor:
        cursor.execute("FROM missing")

    assert snapshots.oldest_start() == math.inf
