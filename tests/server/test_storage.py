"""Access of the server to the event store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from driftline.errors import InvalidQuery, StoreError
from driftline.server.storage import Storage
from driftline.store.process.protocol import SOCKET
from driftline.store.query.hunt_store import Hunt
from driftline.store.query.limits import Stop
from driftline.store.query.row_query import RowQuery
from tests.server import raising


def test_concurrent_queries_are_answered(tmp_path: Path) -> None:
    raising.store(tmp_path, [raising.alert()])
    storage = Storage(tmp_path)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: storage.select(RowQuery(table="AlertInfo")).num_rows, range(50)))

    assert answers == [1] * 50


def test_an_owned_store_answers_without_its_socket(tmp_path: Path) -> None:
    raising.store(tmp_path, [raising.alert()])
    storage = Storage(tmp_path)
    with storage.owned():
        (tmp_path / SOCKET).rename(tmp_path / "away")
        rows = storage.select(RowQuery(table="AlertInfo")).num_rows
        with storage.hunt(Hunt(text="AlertInfo | count"), stop=Stop()) as answer:
            counted = [row for batch in answer.batches for row in batch.to_pylist()]
        (tmp_path / "away").rename(tmp_path / SOCKET)

    assert (rows, counted) == (1, [{"Count": 1}])
    assert storage.select(RowQuery(table="AlertInfo")).num_rows == 1


def test_another_process_reads_an_owned_store_by_its_socket(tmp_path: Path) -> None:
    raising.store(tmp_path, [raising.alert()])

    with Storage(tmp_path).owned():
        assert Storage(tmp_path).select(RowQuery(table="AlertInfo")).num_rows == 1


def test_a_stopped_hunt_of_an_owned_store_raises_the_reason(tmp_path: Path) -> None:
    raising.store(tmp_path, [raising.alert()])
    storage, stop = Storage(tmp_path), Stop()
    stop.stop("the client disconnected")

    with (
        storage.owned(),
        pytest.raises(StoreError, match="the client disconnected"),
        storage.hunt(Hunt(text="AlertInfo"), stop=stop),
    ):
        pass


def test_a_store_may_be_created_later(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with pytest.raises(StoreError, match="there is no store"):
        storage.select(RowQuery(table="AlertInfo"))

    raising.store(tmp_path, [raising.alert()])

    assert storage.select(RowQuery(table="AlertInfo")).num_rows == 1


def test_hunts_read_empty_tables_before_there_is_a_store(tmp_path: Path) -> None:
    storage = Storage(tmp_path)

    def count(table: str) -> list[object]:
        with storage.hunt(Hunt(text=f"{table} | count"), stop=Stop()) as answer:
            return [row for batch in answer.batches for row in batch.to_pylist()]

    assert count("AlertInfo") == [{"Count": 0}]
    with pytest.raises(InvalidQuery, match="NoTable"):
        count("NoTable")
    raising.store(tmp_path, [raising.alert()])

    assert count("AlertInfo") == [{"Count": 1}]
