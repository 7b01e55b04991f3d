"""The server's way to the event store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from driftline.errors import StoreError
from driftline.server.storage import Storage
from driftline.store.query.row_query import RowQuery
from tests.server import raising


def test_many_questions_at_once_are_answered(tmp_path: Path) -> None:
    raising.store(tmp_path, [raising.alert()])
    storage = Storage(tmp_path)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: storage.select(RowQuery(table="AlertInfo")).num_rows, range(50)))

    assert answers == [1] * 50


def test_a_store_that_comes_later(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with pytest.raises(StoreError, match="there is no store"):
        storage.select(RowQuery(table="AlertInfo"))

    raising.store(tmp_path, [raising.alert()])

    assert storage.select(RowQuery(table="AlertInfo")).num_rows == 1
