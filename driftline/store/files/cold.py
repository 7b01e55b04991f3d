"""Earlier days as Parquet: moved out of the hot table, compacted, dropped.

A file counts once its name is committed in ``_cold``, in the transaction that removes its rows
from where they were. That transaction sees the rows as of its beginning, so rows that are
appended meanwhile stay where they are. A busy day moves in parts, as the hot table grows. A file
that no longer counts is kept until the queries and hunts that may still read it have ended.

The terms of a file (``term_index.index``) are found later, a file at a time: a hunt does without them.
"""

from __future__ import annotations

import datetime
import itertools
import math
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from driftline.errors import StoreError
from driftline.events import TABLES
from driftline.store.files.engine import transaction
from driftline.store.schema import quoted
from driftline.store.term_index.index import terms_path, write_index

__all__ = ["SLICE_ROWS", "ColdFiles"]

SLICE_ROWS = 250_000
"""How many rows are sorted and moved at once."""

_SMALL_BYTES = 64 << 20
_MERGED_ROWS = 3_000_000  # sorted they take some 2 GB, where DuckDB may spill 4
_LATEST = (1 << 63) - 1
_SETTINGS = "FORMAT parquet, COMPRESSION zstd"


class ColdFiles:
    """The Parquet files of one store. One thread uses it at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
        self._connection = connection
        self._directory = directory
        self._retired: list[tuple[float, Path]] = []
        self._unreadable: set[Path] = set()

    def move(self, before: datetime.date | datetime.datetime) -> int:
        """Move the rows of before that time (UTC) out of the hot tables; gives how many files it made."""
        return sum(self._move(name, f"Timestamp < TIMESTAMPTZ '{before}'") for name in TABLES)

    def move_large(self, rows: int) -> int:
        """Move all rows of each hot table that has more than ``rows``; gives how many files it made."""
        return sum(self._move(name, "true") for name in TABLES if self._count(name, "true") > rows)

    def _move(self, name: str, condition: str) -> int:
        sql = f"SELECT DISTINCT CAST(Timestamp AS DATE) FROM {quoted(name)} WHERE {condition}"  # noqa: S608
        days = [row[0] for row in self._connection.execute(sql).fetchall()]
        return sum(self._move_day(name, day, condition) for day in days)

    # In slices, each a transaction: what is sorted at once must fit into memory and spill.
    def _move_day(self, name: str, day: datetime.date, condition: str) -> int:
        condition = f"CAST(Timestamp AS DATE) = DATE '{day}' AND {condition}"
        slices = math.ceil(self._count(name, condition) / SLICE_ROWS)
        for left in range(slices, 0, -1):
            with transaction(self._connection):
                part = f"{condition} AND epoch_us(Timestamp) <= {self._cut(name, condition, left)}"
                self._write(name, day, f"FROM {quoted(name)} WHERE {part}")
                self._connection.execute(f"DELETE FROM {quoted(name)} WHERE {part}")  # noqa: S608
        return slices

    # The time up to which about one in ``parts`` of the rows lies.
    def _cut(self, name: str, condition: str, parts: int) -> int:
        if parts == 1:
            return _LATEST
        sql = f"SELECT approx_quantile(epoch_us(Timestamp), {1 / parts}) FROM {quoted(name)} WHERE {condition}"  # noqa: S608
        row = self._connection.execute(sql).fetchone()
        return _LATEST if row is None or row[0] is None else int(row[0])

    def _count(self, name: str, condition: str) -> int:
        row = self._connection.execute(f"SELECT count(*) FROM {quoted(name)} WHERE {condition}").fetchone()  # noqa: S608
        return int(row[0]) if row else 0

    def compact(self) -> int:
        """Make one file of several small ones of a day; gives how many it took."""
        sql = f"""SELECT table_name, day, file, greatest(bytes / {_SMALL_BYTES}, rows / {_MERGED_ROWS}) AS weight
                  FROM _cold WHERE weight < 1 ORDER BY table_name, day, weight"""  # noqa: S608
        self._unreadable.clear()
        small = self._connection.execute(sql).fetchall()
        days = itertools.groupby(small, key=lambda row: (row[0], row[1]))
        return sum(self._merge(*day, files) for day, rows in days for files in _groups([row[2:] for row in rows]))

    def _merge(self, name: str, day: datetime.date, files: Sequence[str]) -> int:
        listed = ", ".join(_literal(self._directory / file) for file in files)
        source = f"FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        with transaction(self._connection):
            self._write(name, day, source)
            self._connection.execute("DELETE FROM _cold WHERE list_contains(?, file)", [list(files)])
        self._retire(files)
        return len(files)

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
        """Drop the files of a table's days before ``day``; gives how many went."""
        sql = "DELETE FROM _cold WHERE table_name = ? AND day < ? RETURNING file"
        files = [row[0] for row in self._connection.execute(sql, [name, day]).fetchall()]
        self._retire(files)
        return len(files)

    def index_next(self) -> bool:
        """Find the terms of the newest file that lacks them; tells whether there was one.

        Raises ``StoreError`` for a file that cannot be read, once between two ``compact``.
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
            raise StoreError(f"{path}: its terms cannot be found: {error}") from error
        return True

    def _retire(self, files: Sequence[str]) -> None:
        now = time.monotonic()
        self._retired += [(now, self._directory / file) for file in files]

    def remove_retired(self, oldest: float) -> None:
        """Remove the files that ceased to count before the ``oldest`` snapshot began (``time.monotonic``)."""
        for _, path in (gone for gone in self._retired if gone[0] < oldest):
            _remove(path)
        self._retired = [waiting for waiting in self._retired if waiting[0] >= oldest]

    def remove_orphans(self) -> None:
        """Remove what a crash left behind: written, but never counted; or no longer, but not removed."""
        known = {row[0] for row in self._connection.execute("SELECT file FROM _cold").fetchall()}
        for path in self._directory.rglob("*.*"):
            if str(path.with_suffix(".parquet").relative_to(self._directory)) not in known:
                _remove(path)


# As many as one sort may take (a weight of 1), and no group of one.
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


def _sync(path: Path) -> None:
    for target in (path, path.parent):
        fd = os.open(target, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
