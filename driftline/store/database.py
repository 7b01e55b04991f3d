"""The tables on disk: today's rows in DuckDB, earlier days as Parquet.

``DIR/hot.duckdb`` holds the rows of today, and which Parquet files hold those of earlier days:
a file under ``DIR/cold`` counts only once its name is committed there, together with the removal
of its rows, so that a crash at any point leaves every row in exactly one place.

Rows come with the number of the stream they came by; the last number of each stream is committed
with its rows. Whoever sends again after a crash asks for it first, so nothing is stored twice.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from driftline import wire
from driftline.errors import DriftlineError, StoreBusy, StoreCorrupt, StoreError, StoreFull
from driftline.events import TABLES, Record
from driftline.store._schema import COLUMN_TYPES, create_statement, quoted
from driftline.store.query import Query, compile_query

__all__ = ["Database"]

HOT = "hot.duckdb"
COLD = "cold"
MEMORY = "512MB"
QUERY_SECONDS = 30.0


class Database:
    """One store's files, opened by the one process that may write, or read-only."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        """Open a store, making or migrating it unless ``read_only``; raises ``StoreError``."""
        self._directory = directory
        self._lock = threading.Lock()
        with _translated():
            if not read_only:
                (directory / COLD).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = duckdb.connect(directory / HOT, read_only=read_only)
            self._restrict()
            if not read_only:
                self._migrate()
                self._remove_orphans()
                self._warm_up()

    # Nothing a query says can reach another file, nor lift these limits.
    def _restrict(self) -> None:
        cold = str(self._directory / COLD).replace("'", "''")
        for setting in (
            "TimeZone = 'UTC'",
            f"memory_limit = '{MEMORY}'",
            "threads = 2",
            f"allowed_directories = ['{cold}']",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"SET {setting}")

    def _migrate(self) -> None:
        for name, table in TABLES.items():
            self._connection.execute(create_statement(name))
            there = {row[0] for row in self._connection.execute(f"DESCRIBE {quoted(name)}").fetchall()}
            for column in table.columns:
                if column.name not in there:
                    kind = COLUMN_TYPES[column.type]
                    self._connection.execute(f"ALTER TABLE {quoted(name)} ADD COLUMN {quoted(column.name)} {kind}")
        self._connection.execute("CREATE TABLE IF NOT EXISTS _streams (stream VARCHAR PRIMARY KEY, sequence BIGINT)")
        self._connection.execute("CREATE TABLE IF NOT EXISTS _cold (table_name VARCHAR, day DATE, file VARCHAR)")

    def sequence(self, stream: str) -> int:
        """Give the number of the last message of a stream that is stored; 0 for one that begins."""
        with self._lock, _translated():
            self._connection.execute("INSERT OR IGNORE INTO _streams VALUES (?, 0)", [stream])
            row = self._connection.execute("SELECT sequence FROM _streams WHERE stream = ?", [stream]).fetchone()
        return int(row[0]) if row else 0

    def append(self, rows: Mapping[str, Sequence[Record]], *, stream: str, sequence: int) -> None:
        """Store rows by table, up to and with message number ``sequence``; durable on return.

        ``sequence(stream)`` must have been asked before.
        """
        with self._lock, _translated(), self._transaction():
            for name, records in rows.items():
                self._insert(name, wire.table(name, records))
            self._connection.execute("UPDATE _streams SET sequence = ? WHERE stream = ?", [sequence, stream])

    # By name, for a migrated table has its new columns last.
    def _insert(self, name: str, table: pa.Table) -> None:
        self._connection.register("batch", table)
        self._connection.execute(f"INSERT INTO {quoted(name)} BY NAME SELECT * FROM batch")  # noqa: S608
        self._connection.unregister("batch")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def select(self, query: Query) -> pa.Table:
        """Answer a query within its limits; raises ``InvalidInput`` and ``StoreError``."""
        sql, parameters = compile_query(query, self._source(query.table))
        cursor = self._connection.cursor()
        timer = threading.Timer(QUERY_SECONDS, cursor.interrupt)
        timer.start()
        try:
            with _translated():
                answer: pa.Table = cursor.sql(sql, params=parameters).to_arrow_table()
                return answer
        finally:
            timer.cancel()
            cursor.close()

    def _source(self, name: str) -> str:
        files = self._cold_files(name)
        if not files:
            return quoted(name)
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        cold = f"SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"  # noqa: S608
        return f"(SELECT * FROM {quoted(name)} UNION ALL BY NAME {cold})"  # noqa: S608

    def _cold_files(self, name: str) -> list[str]:
        cursor = self._connection.cursor()
        with _translated():
            rows = cursor.execute("SELECT file FROM _cold WHERE table_name = ? ORDER BY day", [name]).fetchall()
        return [str(self._directory / COLD / row[0]) for row in rows]

    def move_cold(self, today: datetime.date) -> int:
        """Move the rows of days before ``today`` (UTC) to Parquet; gives how many files it made."""
        return sum(self._move_day(name, day) for name in TABLES for day in self._days_before(name, today))

    def _days_before(self, name: str, today: datetime.date) -> list[datetime.date]:
        sql = f"SELECT DISTINCT CAST(Timestamp AS DATE) FROM {quoted(name)} WHERE CAST(Timestamp AS DATE) < ?"  # noqa: S608
        with self._lock, _translated():
            return [row[0] for row in self._connection.execute(sql, [today]).fetchall()]

    def _move_day(self, name: str, day: datetime.date) -> int:
        file = f"{name}/date={day}/{uuid.uuid4().hex}.parquet"
        path = self._directory / COLD / file
        condition = f"CAST(Timestamp AS DATE) = DATE '{day}'"
        with self._lock, _translated(), self._transaction():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            rows = f"SELECT * FROM {quoted(name)} WHERE {condition} ORDER BY Timestamp"  # noqa: S608
            target = str(path).replace("'", "''")
            self._connection.execute(f"COPY ({rows}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
            _sync(path)
            self._connection.execute(f"DELETE FROM {quoted(name)} WHERE {condition}")  # noqa: S608
            self._connection.execute("INSERT INTO _cold VALUES (?, ?, ?)", [name, day, file])
        return 1

    def drop_before(self, name: str, day: datetime.date) -> int:
        """Drop the cold days of a table before ``day``; gives how many files went."""
        with self._lock, _translated(), self._transaction():
            sql = "DELETE FROM _cold WHERE table_name = ? AND day < ? RETURNING file"
            files = [row[0] for row in self._connection.execute(sql, [name, day]).fetchall()]
        for file in files:
            (self._directory / COLD / file).unlink(missing_ok=True)
        return len(files)

    # The first Arrow table makes DuckDB import most of pyarrow, which takes about a second.
    def _warm_up(self) -> None:
        self._insert("SensorHealth", wire.SCHEMAS["SensorHealth"].empty_table())

    # What a crash left behind: written, but never counted; or counted out, but not yet removed.
    def _remove_orphans(self) -> None:
        known = {row[0] for row in self._connection.execute("SELECT file FROM _cold").fetchall()}
        cold = self._directory / COLD
        for path in cold.rglob("*.parquet"):
            if str(path.relative_to(cold)) not in known:
                path.unlink(missing_ok=True)

    def statistics(self) -> dict[str, int]:
        """Count the rows of each table."""
        counts = {}
        cursor = self._connection.cursor()
        with _translated():
            for name in TABLES:
                row = cursor.execute(f"SELECT count(*) FROM {self._source(name)}").fetchone()  # noqa: S608
                counts[name] = int(row[0]) if row else 0
        return counts

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            self._connection.close()


def _sync(path: Path) -> None:
    for target in (path, path.parent):
        fd = os.open(target, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


_MESSAGES = (
    ("lock", StoreBusy, "another process has the store open"),
    ("No space left", StoreFull, "there is no space left for the store"),
    ("not a valid DuckDB database file", StoreCorrupt, "the store's file is damaged; move it away to start anew"),
    ("Corrupt", StoreCorrupt, "the store's file is damaged; move it away to start anew"),
)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except duckdb.InterruptException as error:
        raise StoreError(f"the query took more than {QUERY_SECONDS:.0f} s") from error
    except (duckdb.Error, OSError) as error:
        raise _translate(error) from error


def _translate(error: Exception) -> DriftlineError:
    text = str(error)
    for part, kind, message in _MESSAGES:
        if part in text:
            return kind(f"{message}: {text.splitlines()[0]}")
    return StoreError(text)
