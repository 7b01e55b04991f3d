"""The store through its own process: nothing lost, nothing twice, nothing else reachable."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from driftline.errors import InvalidInput, StoreBusy, StoreCorrupt, StoreError
from driftline.events import CloudProcessEvent, stream
from driftline.store.files.database import Database
from driftline.store.process.protocol import REQUEST_HEAD, SOCKET
from driftline.store.process.reader import Reader, open_reader
from driftline.store.process.writer import Writer, start_writer
from driftline.store.query.row_query import Filter, RowQuery

NOW = datetime.datetime.now(datetime.UTC)
pytestmark = pytest.mark.timeout(120)


def event(name: str, when: datetime.datetime = NOW) -> CloudProcessEvent:
    return CloudProcessEvent(Timestamp=when, FileName=name, PodLabels={"app": "web"})


def lines(*names: str) -> list[bytes]:
    return [stream.encode(event(name)) for name in names]


def names(reader: Reader | Database, *where: Filter) -> list[str]:
    query = RowQuery(table="CloudProcessEvents", where=where, order="FileName", limit=1_000_000)
    return [str(name) for name in reader.select(query)["FileName"].to_pylist()]


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    started = start_writer(tmp_path)
    yield started
    started.close()


def test_rows_are_there_while_it_runs_and_after(tmp_path: Path) -> None:
    writer = start_writer(tmp_path)
    writer.write(lines("a", "b"))
    with open_reader(tmp_path) as reader:
        wait_until(lambda: names(reader) == ["a", "b"])
    writer.close()
    with open_reader(tmp_path) as reader:
        assert names(reader) == ["a", "b"]
    assert writer.lost == 0


def test_a_killed_process_loses_and_doubles_nothing(writer: Writer, tmp_path: Path) -> None:
    expected = []
    for round_ in range(5):
        batch = [f"{round_}-{number:03}" for number in range(200)]
        expected += batch
        writer.write(lines(*batch))
        os.kill(writer.pid, signal.SIGKILL)
    wait_until(lambda: len(stored(tmp_path)) >= len(expected))

    assert stored(tmp_path) == expected


def stored(path: Path) -> list[str]:
    """What is there, as soon as somebody answers."""
    while True:
        try:
            with open_reader(path) as reader:
                return names(reader)
        except StoreError:
            time.sleep(0.05)


def test_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    writer = start_writer(tmp_path, max_bytes=1)
    writer.write(lines("a", "b"))
    writer.close()

    assert writer.lost == 2


def test_two_writers_are_refused(writer: Writer, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="could not be opened"):
        start_writer(tmp_path)


def test_a_line_that_is_no_message_is_passed_over(writer: Writer, tmp_path: Path) -> None:
    writer.write([b"nonsense\n", *lines("a")])
    with open_reader(tmp_path) as reader:
        wait_until(lambda: names(reader) == ["a"])


def test_its_socket_is_the_owners_alone(writer: Writer, tmp_path: Path) -> None:
    assert (tmp_path / SOCKET).stat().st_mode & 0o777 == 0o600


def test_a_peer_that_talks_nonsense_is_answered_or_dropped(writer: Writer, tmp_path: Path) -> None:
    for request in (b"\xff\xff\xff\xff", REQUEST_HEAD.pack(3) + b"{}{", REQUEST_HEAD.pack(2) + b"{}"):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(tmp_path / SOCKET))
            peer.sendall(request)
            peer.shutdown(socket.SHUT_WR)
            assert peer.recv(1) in (b"", b"\x02")
    writer.write(lines("a"))
    with open_reader(tmp_path) as reader:
        wait_until(lambda: names(reader) == ["a"])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path)
    opened.sequence("s")
    yield opened
    opened.close()


def put(database: Database, *rows: CloudProcessEvent, sequence: int = 1) -> None:
    database.append({"CloudProcessEvents": rows}, stream="s", sequence=sequence)


def test_filters_order_and_limit(database: Database) -> None:
    put(database, *(event(name) for name in "abc"))

    assert names(database, Filter("FileName", "!=", "b")) == ["a", "c"]
    assert names(database, Filter("FileName", "in", ["a", "b"])) == ["a", "b"]
    assert names(database, Filter("FileName", "contains", "B")) == ["b"]
    assert names(database, Filter("PodLabels.app", "=", "web")) == ["a", "b", "c"]
    assert names(database, Filter("Timestamp", ">", NOW.isoformat())) == []
    newest = database.select(RowQuery(table="CloudProcessEvents", order="-FileName", limit=1))
    assert newest["FileName"].to_pylist() == ["c"]


@pytest.mark.parametrize(
    "query",
    [
        RowQuery(table="duckdb_settings()"),
        RowQuery(table="CloudProcessEvents", order="1; DROP TABLE AlertInfo"),
        RowQuery(table="CloudProcessEvents", where=[Filter('"', "=", "x")]),
        RowQuery(table="CloudProcessEvents", where=[Filter("PodLabels.a') OR 1=1--", "=", "x")]),
    ],
)
def test_nothing_but_tables_and_columns_can_be_named(database: Database, query: RowQuery) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        database.select(query)


def test_a_value_is_never_sql(database: Database) -> None:
    put(database, event("' OR 1=1 --"))

    assert names(database, Filter("FileName", "=", "' OR 1=1 --")) == ["' OR 1=1 --"]
    assert names(database, Filter("FileName", "=", "x' OR '1'='1")) == []


def test_earlier_days_move_to_parquet_and_stay_in_sight(database: Database, tmp_path: Path) -> None:
    yesterday = NOW - datetime.timedelta(days=1)
    put(database, event("old", yesterday), event("new"))
    moved = database.move_cold(NOW.date())

    assert (moved, database.move_cold(NOW.date())) == (1, 0)
    assert [path.parent.name for path in tmp_path.rglob("*.parquet")] == [f"date={yesterday.date()}"]
    assert names(database) == ["new", "old"]
    assert database.statistics()["CloudProcessEvents"].rows == 2


def test_days_beyond_retention_are_dropped(database: Database, tmp_path: Path) -> None:
    put(database, event("old", NOW - datetime.timedelta(days=9)), event("new"))
    database.move_cold(NOW.date())

    assert database.drop_before("CloudProcessEvents", NOW.date()) == 1
    assert names(database) == ["new"]
    database.close()
    Database(tmp_path).close()  # no query reads them any more
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_file_that_a_crash_left_behind_does_not_count(tmp_path: Path) -> None:
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


def test_a_column_that_came_later_is_added(tmp_path: Path) -> None:
    database = Database(tmp_path)
    database.sequence("s")
    put(database, event("old"))
    database._connection.execute('ALTER TABLE "CloudProcessEvents" DROP COLUMN "PodUid"')
    database.close()
    database = Database(tmp_path)
    put(database, event("new"), sequence=2)

    assert names(database) == ["new", "old"]
    database.close()


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "hot.duckdb").write_bytes(b"not a database at all" * 1000)

    with pytest.raises(StoreCorrupt, match="move it away to start with an empty store"):
        Database(tmp_path)


def test_a_second_process_is_told_that_it_is_busy(writer: Writer, tmp_path: Path) -> None:
    with pytest.raises(StoreBusy, match="another process has the store open"):
        Database(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_keeps_what_is_there(tmp_path: Path) -> None:
    subprocess.run(("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path), check=True)
    try:
        database = Database(tmp_path)
        database.sequence("s")
        put(database, event("first"))
        filler = [event(os.urandom(3000).hex()) for _ in range(300)]
        with pytest.raises(StoreError):
            for sequence in range(2, 100):
                put(database, *filler, sequence=sequence)
        assert names(database, Filter("FileName", "=", "first")) == ["first"]
        database.close()
    finally:
        subprocess.run(("umount", "--lazy", tmp_path), check=True)
