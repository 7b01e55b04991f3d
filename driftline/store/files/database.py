"""The tables on disk: the newest rows in DuckDB, earlier ones as Parquet by table and day.

``DIR/hot.duckdb`` holds the rows of today, the last half million or so, and which Parquet files under
``DIR/cold`` hold the others (``_cold``); a crash at any point leaves every row in exactly one place.

Rows come with their numbers, and what is stored of each stream is committed with its rows: for a
node's own sensor the last number (``append``), for a fleet's the ranges (``ingest``). Whoever
sends again after a crash stores nothing twice.

One connection writes rows, under a lock; queries and housekeeping have cursors of their own and
see the tables as of one moment.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from driftline import wire
from driftline.events import TABLES, Record
from driftline.kql.rewrite import Bounds
from driftline.store.files import check, engine
from driftline.store.files.backup import copy_files
from driftline.store.files.cold import ColdFiles
from driftline.store.files.dedup import Batch, StoredRanges
from driftline.store.files.engine import COLD, HOT, QUERY_SECONDS, transaction, translate_errors
from driftline.store.files.migrations import migrate, require_current
from driftline.store.files.snapshots import Snapshots
from driftline.store.query import hunt_store
from driftline.store.query.file_pruning import DataFile
from driftline.store.query.hunt_store import Explanation, Hunt
from driftline.store.query.limits import OnHunt, Stop
from driftline.store.query.messages import TableStatistics
from driftline.store.query.row_query import RowQuery, compile_row_query
from driftline.store.query.views import EPOCH, TableSource
from driftline.store.schema import quoted

__all__ = ["COLD", "HOT", "HOT_ROWS", "Database", "day_bounds"]

HOT_ROWS = 500_000
"""How many rows a hot table may have before they are moved: what DuckDB caches of it grows with them."""

_RECEIVED_TYPES: Mapping[str, pa.DataType] = {"stream": pa.string(), "first": pa.int64(), "last": pa.int64()}
_RECEIVED_SCHEMA = pa.schema(_RECEIVED_TYPES)


class Database:
    """One store's files, opened by the one process that may write, or read-only."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        """Open a store, making or migrating it unless ``read_only``; raises ``StoreError``."""
        self.directory = directory
        self._read_only = read_only
        self._lock = threading.Lock()
        self._housekeeping = threading.Lock()
        with translate_errors():
            if not read_only:
                (directory / COLD).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = engine.connect(directory, read_only=read_only)
            self._snapshots = Snapshots(self._connection)
            if read_only:
                self._open_for_table_scan()
            else:
                migrate(self._connection, directory)
                self._open_for_writing()

    def _open_for_table_scan(self) -> None:
        try:
            require_current(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def _open_for_writing(self) -> None:
        self._cold = ColdFiles(self._connection.cursor(), self.directory / COLD)
        self._cold.remove_orphans()
        known = self._connection.execute("SELECT stream, first, last FROM _received").fetchall()
        self._received = StoredRanges(known)
        self._unmerged = len(known)
        self._warm_up()

    def sequence(self, stream: str) -> int:
        """Give the number of the last message of a stream that is stored; 0 for one that begins."""
        with self._lock, translate_errors():
            self._connection.execute("INSERT OR IGNORE INTO _streams VALUES (?, 0)", [stream])
            row = self._connection.execute("SELECT sequence FROM _streams WHERE stream = ?", [stream]).fetchone()
        return int(row[0]) if row else 0

    def append(self, rows: Mapping[str, Sequence[Record]], *, stream: str, sequence: int) -> None:
        """Store rows by table, up to and with message number ``sequence``; durable on return.

        ``sequence(stream)`` must have been asked before.
        """
        with self._lock, translate_errors(), transaction(self._connection):
            for name, records in rows.items():
                self._insert(name, wire.table(name, records))
            self._connection.execute("UPDATE _streams SET sequence = ? WHERE stream = ?", [sequence, stream])

    def ingest(self, batches: Sequence[Batch]) -> Sequence[int]:
        """Store what is new of some batches, in one commit; durable on return.

        Gives how many rows of each were new. Raises ``StoreError``, and then nothing is stored.
        """
        with self._lock, translate_errors():
            plan = self._received.plan(batches)
            with transaction(self._connection):
                for name, rows in plan.tables.items():
                    self._insert(name, pa.concat_tables(rows).combine_chunks())  # a scan costs by the chunk
                self._insert("_received", _ranges_table(plan.ranges))
            self._received.commit(plan, batches)
            self._unmerged += len(plan.ranges)
        return plan.stored

    def check_stream(self, stream: str) -> None:
        """Raise ``InvalidBatch`` if a stream has too many holes to take more of it; never waits."""
        self._received.check(stream)

    # By name, for a migrated table has its new columns last.
    def _insert(self, name: str, rows: pa.Table) -> None:
        self._connection.register("batch", rows)
        self._connection.execute(f"INSERT INTO {quoted(name)} BY NAME SELECT * FROM batch")  # noqa: S608
        self._connection.unregister("batch")

    def select(self, query: RowQuery) -> pa.Table:
        """Answer a query within its limits; raises ``InvalidInput`` and ``StoreError``."""
        with self._snapshots.open() as cursor:
            timer = threading.Timer(QUERY_SECONDS, cursor.interrupt)
            timer.start()
            try:
                sql, parameters = compile_row_query(query, self._source(cursor, query.table))
                answer: pa.Table = cursor.sql(sql, params=parameters).to_arrow_table()
                return answer
            finally:
                timer.cancel()

    def _source(self, cursor: duckdb.DuckDBPyConnection, name: str) -> str:
        rows = cursor.execute("SELECT file FROM _cold WHERE table_name = ? ORDER BY day", [name]).fetchall()
        if not rows:
            return quoted(name)
        paths = (str(self.directory / COLD / row[0]).replace("'", "''") for row in rows)
        listed = ", ".join(f"'{path}'" for path in paths)
        cold = f"SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"  # noqa: S608
        return f"(SELECT * FROM {quoted(name)} UNION ALL BY NAME {cold})"  # noqa: S608

    def hunt(self, request: Hunt, *, stop: Stop | None = None, on_hunt: OnHunt | None = None) -> pa.Table:
        """Answer a hunt; raises ``InvalidQuery`` and ``StoreError``."""
        with self._snapshots.open() as cursor:
            return hunt_store.hunt(cursor, self._stored(cursor), request, stop=stop, on_hunt=on_hunt)

    def explain(self, request: Hunt) -> Explanation:
        """Tell how a hunt would run; raises as ``hunt`` does."""
        with self._snapshots.open() as cursor:
            return hunt_store.explain(cursor, self._stored(cursor), request)

    def _stored(self, cursor: duckdb.DuckDBPyConnection) -> dict[str, TableSource]:
        rows = cursor.execute("SELECT table_name, day, file FROM _cold ORDER BY day").fetchall()
        (catalog,) = cursor.execute("SELECT current_database()").fetchall()[0]
        there = {row[0] for row in cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        files: dict[str, list[DataFile]] = {name: [] for name in TABLES}
        for name, day, file in rows:
            if name in files:
                files[name].append(DataFile(self.directory / COLD / file, day_bounds(day)))
        return {
            name: TableSource(f"{quoted(catalog)}.main.{quoted(name)}", files[name]) for name in TABLES if name in there
        }

    def move_cold(self, before: datetime.date) -> int:
        """Move rows of before that day or time (UTC) to Parquet; gives how many files it made."""
        with self._housekeeping, translate_errors():
            return self._cold.move(before)

    def move_large(self, rows: int = HOT_ROWS) -> int:
        """Move hot tables of more than so many rows to Parquet; gives how many files it made."""
        with self._housekeeping, translate_errors():
            return self._cold.move_large(rows)

    def compact(self) -> int:
        """Make one Parquet file of a day's small ones, and one range of a stream's adjoining ones."""
        with self._housekeeping, translate_errors():
            self._merge_ranges()
            self._cold.remove_retired(self._snapshots.oldest_start())
            return self._cold.compact()

    def index_next(self) -> bool:
        """Find the terms of one Parquet file that lacks them, the newest; tells whether there was one."""
        with self._housekeeping, translate_errors():
            return self._cold.index_next()

    def _merge_ranges(self) -> None:
        with self._lock:
            rows = self._received.rows()
            if self._unmerged <= 2 * len(rows):
                return
            with transaction(self._connection):
                self._connection.execute("DELETE FROM _received")
                self._insert("_received", _ranges_table(rows))
            self._unmerged = len(rows)

    def drop_before(self, name: str, day: datetime.date) -> int:
        """Drop the cold days of a table before ``day``; gives how many files went."""
        with self._housekeeping, translate_errors():
            return self._cold.drop_before(name, day)

    # The first Arrow table makes DuckDB import most of pyarrow, which takes about a second.
    def _warm_up(self) -> None:
        self._insert("SensorHealth", wire.SCHEMAS["SensorHealth"].empty_table())

    def statistics(self) -> dict[str, TableStatistics]:
        """Count rows and files of each table."""
        with self._snapshots.open() as cursor:
            return {name: _counted(cursor, name) for name in TABLES}

    def check(self) -> list[str]:
        """Read every row and file; gives what is wrong, in words."""
        with self._housekeeping, translate_errors():
            return check.find_problems(self._connection.cursor(), self.directory)

    def backup(self, destination: Path) -> int:
        """Copy the store into a new directory while queries go on; gives the bytes.

        Rows wait while the hot file is copied. Raises ``InvalidInput`` and ``StoreError``.
        """
        with self._housekeeping, self._lock, translate_errors():
            if not self._read_only:
                self._connection.execute("CHECKPOINT")
            cold = self._connection.execute("SELECT file FROM _cold").fetchall()
            names = [HOT, f"{HOT}.wal"] if (self.directory / f"{HOT}.wal").exists() else [HOT]
            return copy_files(self.directory, [*names, *(f"{COLD}/{row[0]}" for row in cold)], destination)

    def close(self) -> None:
        """Close the files."""
        with self._lock, self._housekeeping:
            self._connection.close()


def day_bounds(day: datetime.date) -> Bounds:
    """Give the first and the last microsecond of a day (UTC)."""
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    first = (midnight - EPOCH) // datetime.timedelta(microseconds=1)
    return Bounds(first, first + 86_400_000_000 - 1)


def _counted(cursor: duckdb.DuckDBPyConnection, name: str) -> TableStatistics:
    hot = cursor.execute(f"SELECT count(*), min(Timestamp)::DATE FROM {quoted(name)}").fetchone()  # noqa: S608
    sql = """SELECT coalesce(sum(rows), 0), count(*), coalesce(sum(bytes), 0), min(day)
             FROM _cold WHERE table_name = ?"""
    cold = cursor.execute(sql, [name]).fetchone()
    assert hot and cold  # aggregates give a row
    days = [str(day) for day in (hot[1], cold[3]) if day]
    return TableStatistics(
        hot_rows=hot[0], cold_rows=int(cold[0]), files=cold[1], bytes=int(cold[2]), first_day=min(days, default="")
    )


def _ranges_table(rows: Sequence[tuple[str, int, int]]) -> pa.Table:
    streams, firsts, lasts = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table({"stream": streams, "first": firsts, "last": lasts}, schema=_RECEIVED_SCHEMA)
