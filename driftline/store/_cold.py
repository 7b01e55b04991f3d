"""Earlier days as Parquet: moved out of the hot table, compacted, dropped.

A file counts once its name is committed in ``_cold``, in the transaction that removes its rows
from where they were. That transaction sees the rows as of its beginning, so rows that are
appended meanwhile stay where they are. A file that no longer counts is kept until the queries
and hunts that may still read it have ended.
"""

from __future__ import annotations

import datetime
import os
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from driftline.events import TABLES
from driftline.store._engine import transaction
from driftline.store._schema import quoted

__all__ = ["ColdFiles"]

_SMALL_BYTES = 64 << 20
_SETTINGS = "FORMAT parquet, COMPRESSION zstd"


class ColdFiles:
    """The Parquet files of one store. One thread uses it at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
        self._connection = connection
        self._directory = directory
        self._retired: list[tuple[float, Path]] = []

    def move(self, before: datetime.date | datetime.datetime, tables: Iterable[str] = TABLES) -> int:
        """Move the rows of before that time (UTC) out of the hot tables; gives how many files it made."""
        return sum(self._move_day(name, day, before) for name in tables for day in self._days(name, before))

    def _days(self, name: str, before: datetime.date) -> list[datetime.date]:
        sql = f"SELECT DISTINCT CAST(Timestamp AS DATE) FROM {quoted(name)} WHERE Timestamp < ?"  # noqa: S608
        return [row[0] for row in self._connection.execute(sql, [before]).fetchall()]

    def _move_day(self, name: str, day: datetime.date, before: datetime.date) -> int:
        condition = f"CAST(Timestamp AS DATE) = DATE '{day}' AND Timestamp < TIMESTAMPTZ '{before}'"
        with transaction(self._connection):
            self._write(name, day, f"FROM {quoted(name)} WHERE {condition}")
            self._connection.execute(f"DELETE FROM {quoted(name)} WHERE {condition}")  # noqa: S608
        return 1

    def compact(self) -> int:
        """Make one file of a day's small ones; gives how many it took."""
        sql = """SELECT table_name, day, list(file) FROM _cold WHERE bytes < ?
                 GROUP BY table_name, day HAVING count(*) > 1"""
        return sum(self._merge(*row) for row in self._connection.execute(sql, [_SMALL_BYTES]).fetchall())

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

    def _retire(self, files: Sequence[str]) -> None:
        now = time.monotonic()
        self._retired += [(now, self._directory / file) for file in files]

    def remove_retired(self, oldest: float) -> None:
        """Remove the files that ceased to count before the ``oldest`` snapshot began (``time.monotonic``)."""
        for _, path in (gone for gone in self._retired if gone[0] < oldest):
            path.unlink(missing_ok=True)
        self._retired = [waiting for waiting in self._retired if waiting[0] >= oldest]

    def remove_orphans(self) -> None:
        """Remove what a crash left behind: written, but never counted; or no longer, but not removed."""
        known = {row[0] for row in self._connection.execute("SELECT file FROM _cold").fetchall()}
        for path in self._directory.rglob("*.parquet"):
            if str(path.relative_to(self._directory)) not in known:
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
