"""Batches of many senders: shared commits, bounded memory, no sender in the way of another."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from driftline import wire
from driftline.errors import StoreError, StoreOverloaded
from driftline.store.files.batch_writer import BatchWriter
from driftline.store.files.database import Database
from driftline.store.files.dedup import Batch
from tests.wire import making

EVENTS = "CloudProcessEvents"


class HeldDatabase(Database):
    """A database whose commits wait until the test allows them."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.may_commit = threading.Event()
        self.groups: list[int] = []

    def ingest(self, batches: Sequence[Batch]) -> Sequence[int]:
        assert self.may_commit.wait(30)
        self.groups.append(len(batches))
        return super().ingest(batches)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[HeldDatabase]:
    opened = HeldDatabase(tmp_path)
    yield opened
    opened.close()


def batch(stream: str, first: int = 1) -> Batch:
    return Batch(stream, first, 0, making.events(f"{stream}-{first}"))


def broken() -> Batch:
    rows = wire.table(EVENTS, [making.event("bad")])
    place = rows.schema.get_field_index("PodLabels")
    return Batch("broken", 1, 0, {EVENTS: rows.set_column(place, rows.schema.field(place), pa.array(["{"]))})


def test_batches_that_arrive_during_a_commit_share_the_next(database: HeldDatabase) -> None:
    intake = BatchWriter(database)
    futures = [intake.offer(batch("s", number)) for number in range(1, 12)]
    database.may_commit.set()

    assert [future.result(30) for future in futures] == [1] * 11
    assert len(database.groups) <= 3
    intake.close()
    assert intake.waiting_bytes == 0


def test_a_batch_beyond_the_byte_limit_is_refused(database: HeldDatabase) -> None:
    intake = BatchWriter(database, max_bytes=1)
    intake.offer(batch("s", 1))
    with pytest.raises(StoreOverloaded, match="already wait to be stored"):
        while True:  # the first may have gone to the writer
            intake.offer(batch("s", 2))
    database.may_commit.set()
    intake.close()


def test_a_bad_batch_does_not_keep_out_the_others_of_its_commit(database: HeldDatabase) -> None:
    intake = BatchWriter(database)
    futures = [intake.offer(it) for it in (batch("a"), batch("b"), broken(), batch("c"))]
    database.may_commit.set()

    assert [futures[number].result(30) for number in (0, 1, 3)] == [1, 1, 1]
    with pytest.raises(StoreError):
        futures[2].result(30)
    intake.close()


def test_closing_stores_the_waiting_batches(database: HeldDatabase) -> None:
    intake = BatchWriter(database)
    future = intake.offer(batch("s"))
    database.may_commit.set()
    intake.close()

    assert future.result(0) == 1
    with pytest.raises(StoreOverloaded):
        intake.offer(batch("s", 2))
