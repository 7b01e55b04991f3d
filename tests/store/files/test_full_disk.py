"""A store whose disk fills up: nothing stored is lost, and it works again once there is room."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from driftline import wire
from driftline.errors import StoreError, StoreFull
from driftline.store.files import engine
from driftline.store.files.database import Database
from driftline.store.files.dedup import Batch
from driftline.store.query.hunt_store import Hunt
from driftline.store.query.row_query import RowQuery
from tests.disks import Disk, needs_root, small_disk
from tests.store.rows import event, put
from tests.wire import making

EVENTS = "CloudProcessEvents"
pytestmark = [needs_root, pytest.mark.timeout(240)]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", 24) as mounted:
        yield mounted


def batch(first: int, rows: int = 100) -> Batch:
    """Make rows that do not compress, of some 8 kB each."""
    made = [making.event(f"{first + number} {os.urandom(4000).hex()}") for number in range(rows)]
    return Batch("s", first, 0, {EVENTS: wire.table(EVENTS, made)})


def numbers(database: Database) -> list[int]:
    rows = database.select(RowQuery(table=EVENTS, limit=1_000_000))
    return sorted(int(str(name).split()[0]) for name in rows["FileName"].to_pylist())


def until_refused(database: Database) -> tuple[Batch, StoreError]:
    for first in range(1, 100_000, 100):
        sent = batch(first)
        try:
            database.ingest([sent])
        except StoreError as error:
            return sent, error
    raise AssertionError("the disk was never full")


def in_time(work: Callable[[], object]) -> None:
    """Try again until the store works; a failed opening is repeated after a second."""
    for _ in range(100):
        try:
            work()
        except StoreError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the store did not come back")


def test_rows_are_read_while_the_disk_is_full_and_stored_when_there_is_room(disk: Disk) -> None:
    database = Database(disk.path / "store")
    disk.fill(leave=12 << 20)
    refused, error = until_refused(database)

    assert isinstance(error, StoreFull)
    assert numbers(database) == list(range(1, refused.first))
    assert database.hunt(Hunt(text=f"{EVENTS} | count")).to_pylist() == [{"Count": refused.first - 1}]
    disk.empty()
    assert list(database.ingest([refused])) == [100]
    assert numbers(database) == list(range(1, refused.first + 100))
    database.close()


# Before each checkpoint was made by hand only with room for it, this was every full disk.
def test_a_store_that_a_checkpoint_left_unusable_opens_itself(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_NEVER", "4MB")
    database = Database(disk.path / "store")
    disk.fill(leave=14 << 20)
    refused, _ = until_refused(database)
    assert database.failure
    monkeypatch.undo()

    in_time(lambda: database.ingest([]))
    stored = numbers(database)
    disk.empty()
    again = database.ingest([refused])[0]

    assert stored == list(range(1, refused.first + (0 if again else 100)))  # durable, or not stored at all
    assert numbers(database) == list(range(1, refused.first + 100))
    assert not database.failure
    database.close()


def test_a_running_query_does_not_keep_the_store_from_opening_itself(tmp_path: Path) -> None:
    database = Database(tmp_path)
    began, results = threading.Event(), []

    def hunt() -> None:
        with database._snapshot() as cursor:
            cursor.execute("SELECT 1")
            began.set()
            try:
                cursor.execute("SELECT count(*) FROM range(1000000000000)").fetchall()
            except duckdb.Error as error:
                results.append(error)

    thread = threading.Thread(target=hunt)
    thread.start()
    began.wait()
    with pytest.raises(StoreError), database._using(database._lock):
        raise duckdb.FatalException("FATAL Error: an I/O error")
    database.ingest([batch(1, 1)])
    thread.join()

    assert (numbers(database), len(results)) == ([1], 1)
    database.close()


def test_a_message_stored_by_a_call_that_failed_is_not_stored_again(tmp_path: Path) -> None:
    database = Database(tmp_path)
    database.sequence("s")
    put(database, event("1 a"), sequence=1)
    put(database, event("1 a"), sequence=1)

    assert numbers(database) == [1]
    database.close()


def test_rows_are_not_moved_without_room_for_their_file(disk: Disk) -> None:
    database = Database(disk.path / "store")
    database.ingest([batch(1)])
    disk.fill(leave=100 << 10)

    with pytest.raises(StoreFull, match="no space to move rows to Parquet files"):
        database.move_large(1)
    disk.empty()
    assert (database.move_large(1), numbers(database)) == (1, list(range(1, 101)))
    database.close()


def test_the_log_is_merged_when_it_is_large_and_there_is_room(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CHECKPOINT_BYTES", 1 << 20)
    monkeypatch.setattr(engine, "_CHECKPOINT_SLACK", 8 << 20)
    database = Database(disk.path / "store")
    log = disk.path / "store" / f"{engine.HOT}.wal"
    disk.fill(leave=8 << 20)
    database.ingest([batch(1, 200)])
    grown = log.stat().st_size
    disk.empty()
    database.ingest([batch(201, 1)])

    assert grown > 1 << 20
    assert not log.exists() or log.stat().st_size < 1 << 20
    database.close()
