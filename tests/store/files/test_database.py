"""A fleet's batches in the store: each row once; days moved, merged, indexed and dropped."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from driftline import wire
from driftline.errors import StoreError
from driftline.store.files import cold
from driftline.store.files.database import Database
from driftline.store.files.dedup import Batch
from driftline.store.query.hunt_store import Hunt
from driftline.store.query.row_query import RowQuery
from tests import failpoints
from tests.wire import making

EVENTS = "CloudProcessEvents"
DAY = datetime.timedelta(days=1)
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path)
    yield opened
    opened.close()


def batch(first: int, *names: str, stream: str = "s", floor: int = 0) -> Batch:
    return Batch(stream, first, floor, making.events(*names))


def at(when: datetime.datetime, first: int, name: str) -> Batch:
    return Batch("s", first, 0, {EVENTS: wire.table(EVENTS, [making.event(name, when=when)])})


def names(database: Database) -> list[str]:
    rows = database.select(RowQuery(table=EVENTS, order="FileName", limit=1_000_000))
    return [str(name) for name in rows["FileName"].to_pylist()]


def test_replays_and_overlaps_are_stored_once(database: Database) -> None:
    assert list(database.ingest([batch(1, "1", "2"), batch(4, "4", "5")])) == [2, 2]
    assert list(database.ingest([batch(1, "1", "2"), batch(2, "2", "3", "4")])) == [0, 1]
    assert names(database) == ["1", "2", "3", "4", "5"]


def test_each_stream_has_its_own_numbers(database: Database) -> None:
    database.ingest([batch(1, "a", stream="s"), batch(1, "b", stream="t")])

    assert names(database) == ["a", "b"]


def test_stored_ranges_survive_a_restart_and_a_compaction(tmp_path: Path) -> None:
    database = Database(tmp_path)
    for number in range(1, 10):
        database.ingest([batch(number, str(number))])
    database.compact()
    database.close()
    database = Database(tmp_path)

    assert list(database.ingest([batch(1, *"123456789"), batch(10, "x")])) == [0, 1]
    assert database._connection.execute("SELECT count(*) FROM _received").fetchone() == (2,)
    database.close()


def test_a_batch_that_duckdb_rejects_rolls_back_the_whole_commit(database: Database) -> None:
    bad = wire.table(EVENTS, [making.event("bad")])
    bad = bad.set_column(bad.schema.get_field_index("PodLabels"), "PodLabels", pa.array(["{"]))
    with pytest.raises(StoreError):
        database.ingest([batch(1, "good"), Batch("t", 1, 0, {EVENTS: bad})])

    assert names(database) == []
    assert list(database.ingest([batch(1, "good")])) == [1]


INGEST = """
import os, sys
from pathlib import Path
from driftline.store.files.database import Database
from driftline.store.files.dedup import Batch
from tests import failpoints
from tests.wire import making
log = Path(sys.argv[2])
def ingest():
    done = [int(line) for line in log.read_text().splitlines()]
    database = Database(Path(sys.argv[1]))
    with log.open("ab", buffering=0) as acknowledged:
        start = max(done, default=0)  # the last batch again
        for number in range(start, start + 80, 10):
            names = [f"{row:07}" for row in range(number, number + 10)]
            database.ingest([Batch("s", number, 0, making.events(*names))])
            acknowledged.write(b"%d\\n" % number)
            if number % 70 == 0:  # by size, while rows come; and back to one file
                database.move_large(20)
                database.compact()
print(failpoints.kill_at_steps(ingest, path="driftline/store/", kills=24))
"""


def test_kill_during_ingest_neither_loses_nor_repeats_rows(tmp_path: Path) -> None:
    log = tmp_path / "acknowledged"
    log.touch()
    killed = subprocess.check_output((sys.executable, "-c", INGEST, str(tmp_path / "store"), str(log)), text=True)
    acknowledged = max(int(line) for line in log.read_text().splitlines())
    database = Database(tmp_path / "store")
    found = [int(name) for name in names(database)]
    database.close()

    assert int(killed) == 24
    assert found[: acknowledged + 10] == list(range(acknowledged + 10))
    assert len(found) - acknowledged - 10 in (0, 10)  # at most what was committed when the kill came


MOVE = """
import sys
from pathlib import Path
from driftline.store.files import cold
from driftline.store.files.database import Database
from tests import failpoints
cold.SLICE_ROWS = 20
def move():
    database = Database(Path(sys.argv[1]))
    database.move_large(0)
    database.compact()
    database.close()
failpoints.arm_from_environment()
move()
"""


def test_kill_during_a_move_leaves_every_row_in_one_place(tmp_path: Path) -> None:
    expected = [f"{number:04}" for number in range(400)]
    spread = [making.event(name, when=making.NOW + DAY * int(name) / 300) for name in expected]
    database = Database(tmp_path)
    database.ingest([Batch("s", 1, 0, {EVENTS: wire.table(EVENTS, spread)})])
    database.close()
    killed, hot = [], []
    for step in (30, 120, 400, 900, 1500, 2500):
        environment = {**os.environ, failpoints.VARIABLE: f"driftline/store/:{step}"}
        killed.append(subprocess.run((sys.executable, "-c", MOVE, tmp_path), check=False, env=environment).returncode)
        database = Database(tmp_path)
        hot.append(database.statistics()[EVENTS].hot_rows)
        found = names(database)
        files = {str(path.relative_to(tmp_path / "cold")) for path in tmp_path.rglob("*.parquet")}
        known = database.statistics()[EVENTS].files
        database.close()

        assert found == expected
        assert len(files) == known
    assert killed[0] == -signal.SIGKILL
    assert len(set(hot)) > 2  # kills before, between and after slices


def test_move_large_moves_large_tables_in_slices(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "SLICE_ROWS", 10)
    expected = [f"{number:02}" for number in range(40)]
    spread = [making.event(name, when=making.NOW + DAY * int(name) / 1000) for name in expected]
    database.ingest([Batch("s", 1, 0, {EVENTS: wire.table(EVENTS, spread)})])

    assert database.move_large(40) == 0
    assert database.move_large(39) == 4
    found = database.statistics()[EVENTS]
    assert (found.hot_rows, found.cold_rows, found.files) == (0, 40, 4)
    assert names(database) == expected


def test_more_rows_of_one_instant_than_a_slice_are_moved(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "SLICE_ROWS", 2)
    database.ingest([batch(1, "a", "b", "c", "d", "e")])

    database.move_large(1)
    assert database.statistics()[EVENTS].hot_rows == 0
    assert names(database) == ["a", "b", "c", "d", "e"]


def test_compaction_merges_no_more_rows_than_one_sort_may_take(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold, "_MERGED_ROWS", 5)
    for number in range(6):
        database.ingest([batch(2 * number + 1, f"{number}a", f"{number}b")])
        database.move_large(0)

    assert database.compact() == 6
    assert database.statistics()[EVENTS].files == 3
    assert len(names(database)) == 12


def test_move_cold_splits_a_day_at_a_time(database: Database) -> None:
    noon = making.NOW
    database.ingest([at(noon - datetime.timedelta(hours=1), 1, "a"), at(noon, 2, "b")])

    assert database.move_cold(noon) == 1
    found = database.statistics()[EVENTS]
    assert (found.hot_rows, found.cold_rows, found.files) == (1, 1, 1)
    assert found.bytes > 0
    assert names(database) == ["a", "b"]


def test_compaction_merges_small_files_of_a_day(database: Database, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        database.ingest([at(making.NOW - DAY, number, str(number))])
        database.move_cold(making.NOW.date())

    assert (database.compact(), database.compact()) == (3, 0)
    found = database.statistics()[EVENTS]
    assert (found.files, found.cold_rows) == (1, 3)
    assert names(database) == ["1", "2", "3"]
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_files_are_indexed_one_at_a_time_and_removed_with_their_index(database: Database, tmp_path: Path) -> None:
    for number in (1, 2):
        database.ingest([at(making.NOW - DAY, number, str(number))])
        database.move_cold(making.NOW.date())

    assert [database.index_next() for _ in range(3)] == [True, True, False]
    assert len(list(tmp_path.rglob("*.terms"))) == 2
    assert names(database) == ["1", "2"]

    database.compact()
    database.compact()
    assert list(tmp_path.rglob("*.terms")) == []
    assert database.index_next()
    assert len(list(tmp_path.rglob("*.terms"))) == 1


def test_an_unreadable_file_is_reported_once_by_indexing(database: Database, tmp_path: Path) -> None:
    database.ingest([at(making.NOW - DAY, 1, "a")])
    database.move_cold(making.NOW.date())
    (file,) = tmp_path.rglob("*.parquet")
    file.write_bytes(b"damaged")

    with pytest.raises(StoreError, match=f"{file}: its terms cannot be indexed"):
        database.index_next()
    assert not database.index_next()


def test_check_finds_a_damaged_term_index(database: Database, tmp_path: Path) -> None:
    database.ingest([at(making.NOW - DAY, 1, "a")])
    database.move_cold(making.NOW.date())
    database.index_next()
    assert database.check() == []
    (file,) = tmp_path.rglob("*.terms")
    write_terms_of_another_file(file)

    (problem,) = database.check()
    assert "its term index is damaged" in problem


def write_terms_of_another_file(file: Path) -> None:
    index = pa.ipc.open_file(file.read_bytes()).read_all()  # not mapped: it is written over
    table = index.set_column(1, index.field(1), pa.array([b"\xff" * 32], pa.large_binary()))
    with file.open("wb") as target, pa.ipc.new_file(target, table.schema) as writer:
        writer.write_table(table)


def test_opening_removes_uncounted_files_of_a_crash(tmp_path: Path) -> None:
    database = Database(tmp_path)
    database.ingest([at(making.NOW - DAY, 1, "a")])
    database.move_cold(making.NOW.date())
    database.index_next()
    database.close()
    known = sorted((tmp_path / "cold").rglob("*.*"))
    for name in ("x.parquet", "y.terms", "z.unfinished"):
        known[0].with_name(name).touch()

    Database(tmp_path).close()
    assert sorted((tmp_path / "cold").rglob("*.*")) == known
    assert [path.suffix for path in known] == [".parquet", ".terms"]


def test_a_dropped_file_is_removed_after_the_last_snapshot_that_reads_it(database: Database, tmp_path: Path) -> None:
    database.ingest([at(making.NOW - DAY, 1, "a")])
    database.move_cold(making.NOW.date())
    with database._snapshots.open() as cursor:
        database.drop_before(EVENTS, making.NOW.date())
        database.compact()
        (file,) = tmp_path.rglob("*.parquet")
        assert cursor.execute("SELECT count(*) FROM read_parquet(?)", [str(file)]).fetchone() == (1,)
    database.compact()

    assert not file.exists()


def test_a_hunt_sees_each_row_once_while_days_move(database: Database) -> None:
    database.ingest([at(making.NOW - DAY * day, day + 1, str(day)) for day in range(20)])
    days = [making.NOW.date() - DAY * day for day in reversed(range(-1, 20))]
    mover = threading.Thread(target=lambda: [database.move_cold(day) for day in days])
    mover.start()
    found = set()
    while mover.is_alive():
        found |= set(database.hunt(Hunt(text=f"{EVENTS} | count"))["Count"].to_pylist())
    mover.join()

    assert found == {20}
