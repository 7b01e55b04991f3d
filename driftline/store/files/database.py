"""The tables of a store: the newest rows in DuckDB, earlier ones in Parquet files by table and day.

``DIR/hot.duckdb`` holds the newest rows (of today, at most some half a million) and the table
``_cold``, which names the Parquet files under ``DIR/cold`` with all other rows. A crash at any point
leaves every row in exactly one place.

Rows come with numbers. The numbers stored of each stream are committed together with the rows: the
last number for a node's own sensor (``append``), ranges of numbers for a fleet (``ingest``). So a
sender that repeats rows after a crash stores none twice.

One connection writes rows, under a lock. Queries and housekeeping have cursors of their own and
see the tables as of one moment (DuckDB's snapshot isolation).

An error in the middle of a checkpoint, such as a full disk, makes DuckDB refuse every statement until
the file is opened again. The next call of any method opens it, and what was committed is there.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from driftline import wire
from driftline.clock import EPOCH
from driftline.errors import StoreError, StoreFull
from driftline.events import TABLES, Record
from driftline.kql.rewrite import Bounds
from driftline.private_files import tighten
from driftline.store.files import check, engine
from driftline.store.files.backup import copy_files
from driftline.store.files.cold import ColdFiles
from driftline.store.files.dedup import Batch, StoredRanges
from driftline.store.files.engine import COLD, HOT, QUERY_SECONDS, is_invalidated, transaction, translate_errors
from driftline.store.files.migrations import migrate, require_current
from driftline.store.files.snapshots import Snapshots
from driftline.store.query import hunt_store
from driftline.store.query.file_pruning import DataFile
from driftline.store.query.hunt_store import Explanation, Hunt
from driftline.store.query.limits import OnHunt, Stop
from driftline.store.query.messages import TableStatistics
from driftline.store.query.row_query import RowQuery, compile_row_query
from driftline.store.query.translators import Translators
from driftline.store.query.views import TableSource
from driftline.store.schema import quoted

__all__ = ["COLD", "HOT", "HOT_ROWS", "Database", "day_bounds"]

HOT_ROWS = 500_000
"""Rows that a hot table may have before they are moved; DuckDB's cache of the table grows with them."""

_REOPEN_SECONDS = 1.0  # between two attempts, because an attempt reads the whole write-ahead log
_DRAIN_SECONDS = 5.0
_log = logging.getLogger(__name__)
_RECEIVED_TYPES: Mapping[str, pa.DataType] = {"stream": pa.string(), "first": pa.int64(), "last": pa.int64()}
_RECEIVED_SCHEMA = pa.schema(_RECEIVED_TYPES)


class Database:
    """The files of one store, opened for writing by one process, or read-only by several.

    Methods may be called from any thread. They raise ``StoreError`` if DuckDB or the disk fails. After an
    error that DuckDB does not survive, the next call opens the files again.
    """

    def __init__(self, directory: Path, *, read_only: bool = False, translators: Translators | None = None) -> None:
        """Open the store in a directory; unless ``read_only``, create it or migrate it first.

        ``translators`` translate hunts in processes that can be killed; without them, this process does.
        Raises ``StoreBusy`` if another process has it open, ``StoreCorrupt`` if the file is damaged, and
        ``StoreError`` for a store of another version.
        """
        self.directory = directory
        self._read_only = read_only
        self._translators = translators
        self._lock = threading.Lock()
        self._housekeeping = threading.Lock()
        self._invalid: StoreError | None = None
        """The error after which DuckDB refuses every statement; ``None`` while it works."""
        self._reopen_at = 0.0
        self._full_with: int | None = None
        """Bytes that were free when the last write failed for lack of space; ``None`` if it did not."""
        if not read_only:
            with translate_errors():
                (directory / COLD).mkdir(mode=0o700, parents=True, exist_ok=True)
                tighten(directory, (f"{HOT}*", COLD))
        self._open()

    def _open(self) -> None:
        with translate_errors():
            self._connection = engine.connect(self.directory, read_only=self._read_only)
            try:
                self._snapshots = Snapshots(self._connection)
                if self._read_only:
                    require_current(self._connection)
                else:
                    migrate(self._connection, self.directory)
                    self._open_for_writing()
            except BaseException:
                self._connection.close()
                raise

    @property
    def failure(self) -> str:
        """The error after which the files have to be opened again; empty while the store works."""
        return str(self._invalid or "")

    # Enters the locks, in this order, after opening the files again if that is needed.
    @contextlib.contextmanager
    def _using(self, *locks: threading.Lock) -> Iterator[None]:
        self._recover()
        with contextlib.ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            with self._noting_failure(), translate_errors():
                yield

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[duckdb.DuckDBPyConnection]:
        self._recover()
        with self._noting_failure(), self._snapshots.open() as cursor:
            yield cursor

    @contextlib.contextmanager
    def _noting_failure(self) -> Iterator[None]:
        connection = self._connection
        try:
            yield
        except StoreError as error:
            if isinstance(error, StoreFull):
                self._full_with = shutil.disk_usage(self.directory).free
            if is_invalidated(error) and connection is self._connection and self._invalid is None:
                _log.error("the event store has to be opened again: %s", error)
                self._invalid = error
            raise

    # DuckDB keeps one instance of a file in a process: the file is read again only after all cursors were closed.
    def _recover(self) -> None:
        if self._invalid is None:
            return
        with self._housekeeping, self._lock:
            if self._invalid is None:
                return
            if time.monotonic() < self._reopen_at:
                raise self._invalid
            self._reopen_at = time.monotonic() + _REOPEN_SECONDS
            self._snapshots.drain(_DRAIN_SECONDS)
            if not self._read_only:
                self._cold.close()
            self._connection.close()
            try:
                self._open()
            except StoreError as error:
                self._invalid = error
                raise
            self._invalid = None
            _log.warning("the event store is open again")

    def _open_for_writing(self) -> None:
        self._cold = ColdFiles(self._connection.cursor(), self.directory / COLD)
        self._cold.remove_orphans()
        known = self._connection.execute("SELECT stream, first, last FROM _received").fetchall()
        self._received = StoredRanges(known)
        self._unmerged = len(known)
        self._warm_up()

    def sequence(self, stream: str) -> int:
        """Return the number of the last stored message of a stream; 0 for a new stream."""
        with self._using(self._lock):
            self._connection.execute("INSERT OR IGNORE INTO _streams VALUES (?, 0)", [stream])
            return self._stored_sequence(stream)

    def _stored_sequence(self, stream: str) -> int:
        row = self._connection.execute("SELECT sequence FROM _streams WHERE stream = ?", [stream]).fetchone()
        return int(row[0]) if row else 0

    def append(self, rows: Mapping[str, Sequence[Record]], *, stream: str, sequence: int) -> None:
        """Store rows by table, up to and including the message number ``sequence``; durable on return.

        ``sequence(stream)`` must have been called before for the stream. Nothing is stored if that message was stored
        before, by a call that failed after its commit.
        """
        with self._using(self._lock):
            if self._stored_sequence(stream) >= sequence:
                return
            with transaction(self._connection):
                for name, records in rows.items():
                    self._insert(name, wire.table(name, records))
                self._connection.execute("UPDATE _streams SET sequence = ? WHERE stream = ?", [sequence, stream])
            self._checkpoint()

    def ingest(self, batches: Sequence[Batch]) -> Sequence[int]:
        """Store the new rows of some batches in one commit; durable on return.

        Returns the number of new rows of each batch. Raises ``StoreError``, and then nothing is stored.
        """
        with self._using(self._lock):
            plan = self._received.plan(batches)
            with transaction(self._connection):
                for name, rows in plan.tables.items():
                    self._insert(name, pa.concat_tables(rows).combine_chunks())  # a scan costs by the chunk
                self._insert("_received", _ranges_table(plan.ranges))
            self._received.commit(plan, batches)
            self._unmerged += len(plan.ranges)
            self._full_with = None
            self._checkpoint()
        return plan.stored

    # The rows are committed already: an error here must not say that they are not.
    def _checkpoint(self) -> None:
        try:
            with self._noting_failure(), translate_errors():
                engine.checkpoint(self._connection, self.directory)
        except StoreError as error:
            _log.error("the write-ahead log could not be merged: %s", error)

    def has(self, batch: Batch) -> bool:
        """Return whether all rows of a batch are stored; waits for a commit under way."""
        with self._using(self._lock):
            return self._received.has(batch)

    def check_stream(self, stream: str) -> None:
        """Raise ``InvalidBatch`` for a stream with too many holes to take more of it; never waits."""
        self._received.check(stream)

    # By name, because a migrated table has its new columns last.
    def _insert(self, name: str, rows: pa.Table) -> None:
        self._connection.register("batch", rows)
        self._connection.execute(f"INSERT INTO {quoted(name)} BY NAME SELECT * FROM batch")  # noqa: S608
        self._connection.unregister("batch")

    # DuckDB has no setting for a query's time, so a timer interrupts it.
    def select(self, query: RowQuery) -> pa.Table:
        """Return the rows of a row query; raises ``InvalidInput``, and ``StoreError`` after ``QUERY_SECONDS``."""
        with self._snapshot() as cursor:
            timer = threading.Timer(QUERY_SECONDS, cursor.interrupt)
            timer.start()
            try:
                sql, parameters = compile_row_query(query, self._relation(cursor, query.table))
                rows: pa.Table = cursor.sql(sql, params=parameters).to_arrow_table()
                return rows
            finally:
                timer.cancel()

    # By name, because files of earlier versions lack columns that came later.
    def _relation(self, cursor: duckdb.DuckDBPyConnection, name: str) -> str:
        rows = cursor.execute("SELECT file FROM _cold WHERE table_name = ? ORDER BY day", [name]).fetchall()
        if not rows:
            return quoted(name)
        paths = (str(self.directory / COLD / row[0]).replace("'", "''") for row in rows)
        listed = ", ".join(f"'{path}'" for path in paths)
        cold = f"SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"  # noqa: S608
        return f"(SELECT * FROM {quoted(name)} UNION ALL BY NAME {cold})"  # noqa: S608

    def hunt(self, request: Hunt, *, stop: Stop | None = None, on_hunt: OnHunt | None = None) -> pa.Table:
        """Run a hunt and return its rows; raises ``InvalidQuery`` and ``StoreError``.

        ``stop`` ends it from another thread; ``on_hunt`` gets its record when it has ended.
        """
        with self._snapshot() as cursor:
            sources, translators = self._sources(cursor), self._translators
            return hunt_store.hunt(cursor, sources, request, stop=stop, on_hunt=on_hunt, translators=translators)

    def explain(self, request: Hunt) -> Explanation:
        """Explain how a hunt would run, without running it; raises as ``hunt`` does."""
        with self._snapshot() as cursor:
            return hunt_store.explain(cursor, self._sources(cursor), request, translators=self._translators)

    # The catalog is named in full, so that a hunt's view may have the table's own name. A store that is open read-only
    # may lack tables that came later.
    def _sources(self, cursor: duckdb.DuckDBPyConnection) -> dict[str, TableSource]:
        rows = cursor.execute("SELECT table_name, day, file FROM _cold ORDER BY day").fetchall()
        (catalog,) = cursor.execute("SELECT current_database()").fetchall()[0]
        existing = {row[0] for row in cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        files: dict[str, list[DataFile]] = {name: [] for name in TABLES}
        for name, day, file in rows:
            if name in files:
                files[name].append(DataFile(self.directory / COLD / file, day_bounds(day)))
        return {
            name: TableSource(f"{quoted(catalog)}.main.{quoted(name)}", files[name])
            for name in TABLES
            if name in existing
        }

    def move_cold(self, before: datetime.date) -> int:
        """Move rows older than that day or time (UTC) to Parquet; return the number of files made."""
        with self._using(self._housekeeping):
            return self._cold.move(before)

    def move_large(self, rows: int = HOT_ROWS) -> int:
        """Move hot tables of more than so many rows to Parquet; return the number of files made."""
        with self._using(self._housekeeping):
            return self._cold.move_large(rows)

    def compact(self) -> int:
        """Merge a day's small Parquet files, and adjoining ranges of a stream; return the number of files merged.

        Removes the files that no query can read any more.
        """
        with self._using(self._housekeeping):
            self._merge_ranges()
            self._cold.remove_retired(self._snapshots.oldest_start())
            return self._cold.compact()

    def index_next(self) -> bool:
        """Make the term index of the newest Parquet file without one; return whether there was one."""
        with self._using(self._housekeeping):
            return self._cold.index_next()

    # Each batch adds ranges as rows; they are rewritten when they have become twice as many as needed.
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
        """Drop a table's Parquet files of days before ``day`` (UTC); return their number."""
        with self._using(self._housekeeping):
            return self._cold.drop_before(name, day)

    # The first Arrow table makes DuckDB import most of pyarrow, which takes about a second; better now than during the
    # first batch.
    def _warm_up(self) -> None:
        self._insert("SensorHealth", wire.SCHEMAS["SensorHealth"].empty_table())

    def statistics(self) -> dict[str, TableStatistics]:
        """Count rows, files and bytes of each table, by name."""
        with self._snapshot() as cursor:
            return {name: _statistics(cursor, name) for name in TABLES}

    def check_alive(self) -> None:
        """Run a trivial query, after opening the files again if that is needed.

        Raises ``StoreError`` if it fails, and ``StoreFull`` if the last write found no space, and no more is left now.
        """
        full = self._full_with
        if full is not None and shutil.disk_usage(self.directory).free <= full:
            raise StoreFull(f"there is no space left for the store: {full} bytes were not enough for the last rows")
        with self._snapshot() as cursor:
            cursor.execute("SELECT 1").fetchall()

    def check(self) -> list[str]:
        """Read every row and file and return the problems, one sentence each; an empty list means intact."""
        with self._using(self._housekeeping):
            return check.find_problems(self._connection.cursor(), self.directory)

    def backup(self, destination: Path) -> int:
        """Copy the store into a new directory while queries go on; return the bytes copied.

        Writers wait while the files are copied. Raises ``InvalidInput`` if the directory exists, and
        ``StoreError``.
        """
        with self._using(self._housekeeping, self._lock):
            if not self._read_only:
                self._connection.execute("CHECKPOINT")
            cold = self._connection.execute("SELECT file FROM _cold").fetchall()
            # After a checkpoint the log is usually gone; a read-only store cannot make one, so its log is copied too.
            names = [HOT, f"{HOT}.wal"] if (self.directory / f"{HOT}.wal").exists() else [HOT]
            return copy_files(self.directory, [*names, *(f"{COLD}/{row[0]}" for row in cold)], destination)

    def close(self) -> None:
        """Close the files; waits for a write or a housekeeping step that is under way."""
        with self._lock, self._housekeeping:
            self._connection.close()


def day_bounds(day: datetime.date) -> Bounds:
    """Return the first and the last microsecond of a day (UTC), both included."""
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    first = (midnight - EPOCH) // datetime.timedelta(microseconds=1)
    return Bounds(first, first + 86_400_000_000 - 1)


def _statistics(cursor: duckdb.DuckDBPyConnection, name: str) -> TableStatistics:
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
