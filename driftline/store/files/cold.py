"""Parquet files of earlier days: made of the hot table's rows, merged, indexed, dropped.

A file counts once its name is committed in the table ``_cold``, in the same transaction that deletes
its rows from where they were. That transaction sees the rows as of its beginning, so rows that are
appended meanwhile stay in the hot table. A busy day moves in several files, as the hot table grows.
A file that no longer counts is kept until the queries that may still read it have ended.

A file's term index (``term_index.index``) is made later, one file at a time: a hunt can do without it.
"""

from __future__ import annotations

import datetime
import itertools
import math
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from driftline.errors import StoreError, StoreFull
from driftline.events import TABLES
from driftline.store.files.engine import HOT, transaction
from driftline.store.schema import quoted
from driftline.store.term_index.index import terms_path, write_index

__all__ = ["SLICE_ROWS", "ColdFiles"]

SLICE_ROWS = 250_000
"""Rows that are sorted and moved in one transaction."""

# Files below both bounds are merged with others of their day: bytes, and rows.
_SMALL_BYTES = 64 << 20
_MERGED_ROWS = 3_000_000  # sorting so many takes some 2 GB, and DuckDB may spill 4 GB
# The greatest time of epoch_us: the last slice takes all rows that are left.
_LATEST = (1 << 63) - 1
_SLICE_BYTES = 512 << 20  # more than a slice of rows takes as a file
_SETTINGS = "FORMAT parquet, COMPRESSION zstd"


class ColdFiles:
    """The Parquet files of one store; one thread uses it at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
        self._connection = connection
        self._directory = directory
        self._retired: list[tuple[float, Path]] = []
        """Files that no longer count, with the time (``time.monotonic``) at which they ceased to."""
        self._unreadable: set[Path] = set()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def move(self, before: datetime.date | datetime.datetime) -> int:
        """Move rows older than a day or time (UTC) out of the hot tables; return the number of files made."""
        return sum(self._move(name, f"Timestamp < TIMESTAMPTZ '{before}'") for name in TABLES)

    def move_large(self, rows: int) -> int:
        """Move all rows of each hot table that has more than ``rows``; return the number of files made."""
        return sum(self._move(name, "true") for name in TABLES if self._count(name, "true") > rows)

    def _move(self, name: str, condition: str) -> int:
        sql = f"SELECT DISTINCT CAST(Timestamp AS DATE) FROM {quoted(name)} WHERE {condition}"  # noqa: S608
        days = [row[0] for row in self._connection.execute(sql).fetchall()]
        return sum(self._move_day(name, day, condition) for day in days)

    # A transaction for each slice, because the rows of one must fit into memory and spill space when they are sorted.
    def _move_day(self, name: str, day: datetime.date, condition: str) -> int:
        condition = f"CAST(Timestamp AS DATE) = DATE '{day}' AND {condition}"
        slices = math.ceil(self._count(name, condition) / SLICE_ROWS)
        for left in range(slices, 0, -1):
            self._check_room(min(self._hot_bytes(), _SLICE_BYTES))
            with transaction(self._connection):
                chosen = f"{condition} AND epoch_us(Timestamp) <= {self._cut(name, condition, left)}"
                self._write(name, day, f"FROM {quoted(name)} WHERE {chosen}")
                self._connection.execute(f"DELETE FROM {quoted(name)} WHERE {chosen}")  # noqa: S608
        return slices

    # DuckDB 2.0 sometimes never returns from a COPY that finds no space left, so a COPY is not begun without room.
    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self._directory).free
        if free < needed:
            raise StoreFull(f"no space to move rows to Parquet files: {free} bytes are free, {needed} may be needed")

    def _hot_bytes(self) -> int:
        files = (self._directory.parent / name for name in (HOT, f"{HOT}.wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    # The time up to which about one in ``slices`` of the rows lies. An estimate will do: slices need not be equal.
    def _cut(self, name: str, condition: str, slices: int) -> int:
        if slices == 1:
            return _LATEST
        sql = f"SELECT approx_quantile(epoch_us(Timestamp), {1 / slices}) FROM {quoted(name)} WHERE {condition}"  # noqa: S608
        row = self._connection.execute(sql).fetchone()
        return _LATEST if row is None or row[0] is None else int(row[0])

    def _count(self, name: str, condition: str) -> int:
        row = self._connection.execute(f"SELECT count(*) FROM {quoted(name)} WHERE {condition}").fetchone()  # noqa: S608
        return int(row[0]) if row else 0

    def compact(self) -> int:
        """Merge small files of the same table and day; return the number of files merged."""
        sql = f"""SELECT table_name, day, file, greatest(bytes / {_SMALL_BYTES}, rows / {_MERGED_ROWS}) AS weight
                  FROM _cold WHERE weight < 1 ORDER BY table_name, day, weight"""  # noqa: S608
        self._unreadable.clear()
        small = self._connection.execute(sql).fetchall()
        days = itertools.groupby(small, key=lambda row: (row[0], row[1]))
        return sum(self._merge(*day, files) for day, rows in days for files in _groups([row[2:] for row in rows]))

    def _merge(self, name: str, day: datetime.date, files: Sequence[str]) -> int:
        listed = ", ".join(_literal(self._directory / file) for file in files)
        source = f"FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        self._check_room(sum((self._directory / file).stat().st_size for file in files))
        with transaction(self._connection):
            self._write(name, day, source)
            self._connection.execute("DELETE FROM _cold WHERE list_contains(?, file)", [list(files)])
        self._retire(files)
        return len(files)

    # The file is on the disk before the transaction commits its name. Sorted by time, so that row groups have narrow
    # time spans and a hunt skips most of them.
    def _write(self, name: str, day: datetime.date, source: str) -> None:
        file = f"{name}/date={day}/{uuid.uuid4().hex}.parquet"
        path = self._directory / file
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        statement = f"COPY (SELECT * {source} ORDER BY Timestamp) TO {_literal(path)} ({_SETTINGS})"
        count = self._connection.execute(statement).fetchone()
        _sync(path)
        values = [name, day, file, count[0] if count else 0, path.stat().st_size]
        self._connection.execute("INSERT INTO _cold VALUES (?, ?, ?, ?, ?)", values)

    def drop_before(self, name: str, day: datetime.date) -> int:
        """Drop the files of a table's days before ``day`` (UTC); return their number."""
        sql = "DELETE FROM _cold WHERE table_name = ? AND day < ? RETURNING file"
        files = [row[0] for row in self._connection.execute(sql, [name, day]).fetchall()]
        self._retire(files)
        return len(files)

    def index_next(self) -> bool:
        """Make the term index of the newest file without one; return whether there was one.

        Raises ``StoreError`` for a file that cannot be read, once between two calls of ``compact``.
        """
        files = self._connection.execute("SELECT file FROM _cold ORDER BY day DESC, file").fetchall()
        lacking = (path for (file,) in files if not terms_path(path := self._directory / file).exists())
        path = next((path for path in lacking if path not in self._unreadable), None)
        if path is None:
            return False
        try:
            write_index(path)
        except (OSError, pa.ArrowException) as error:
            self._unreadable.add(path)
            raise StoreError(f"{path}: its terms cannot be indexed: {error}") from error
        return True

    def _retire(self, files: Sequence[str]) -> None:
        now = time.monotonic()
        self._retired += [(now, self._directory / file) for file in files]

    def remove_retired(self, oldest: float) -> None:
        """Remove the files that ceased to count before the oldest snapshot began (``time.monotonic``)."""
        for _, path in (gone for gone in self._retired if gone[0] < oldest):
            _remove(path)
        self._retired = [waiting for waiting in self._retired if waiting[0] >= oldest]

    def remove_orphans(self) -> None:
        """Remove files that a crash left: written and never counted, or no longer counted and not yet removed."""
        known = {row[0] for row in self._connection.execute("SELECT file FROM _cold").fetchall()}
        for path in self._directory.rglob("*.*"):
            if str(path.with_suffix(".parquet").relative_to(self._directory)) not in known:
                _remove(path)


# Greedy, by weight: a group weighs at most 1 (one sort's worth), and has at least two files.
def _groups(files: Sequence[tuple[str, float]]) -> Iterator[list[str]]:
    group: list[str] = []
    total = 0.0
    for file, weight in files:
        if total + weight > 1:
            yield from [group] if len(group) > 1 else []
            group, total = [], 0.0
        group.append(file)
        total += weight
    if len(group) > 1:
        yield group


def _remove(path: Path) -> None:
    terms_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


# The file's bytes, then its directory's entry: fsync(2) of a file does not cover the entry.
def _sync(path: Path) -> None:
    for target in (path, path.parent):
        fd = os.open(target, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
