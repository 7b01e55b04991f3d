"""Migration of a store that an earlier driftline made to this version.

New tables and new columns are added whatever the version. Each other change is a step in ``STEPS``.
Steps go forward only; each runs in one transaction with the version that it leads to, so a crash
leaves a store of one version or the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet

from driftline.errors import StoreError
from driftline.events import TABLES
from driftline.store.files.engine import COLD, transaction
from driftline.store.schema import COLUMN_TYPES, create_statement, quoted

__all__ = ["VERSION", "migrate", "require_current"]

Connection = duckdb.DuckDBPyConnection


def migrate(connection: Connection, directory: Path) -> None:
    """Bring a store to this version.

    ``directory`` is the store's. Raises ``StoreError`` for a store that a later driftline made.
    """
    connection.execute("CREATE TABLE IF NOT EXISTS _version (version INTEGER)")
    version = _version(connection)
    for step in STEPS[version:]:
        version += 1
        with transaction(connection):
            step(connection, directory)
            connection.execute("INSERT INTO _version VALUES (?)", [version])
    _add_columns(connection)


def require_current(connection: Connection) -> None:
    """Raise ``StoreError`` for a store that must be migrated before it can be read.

    Reading never migrates, because a database that is open read-only cannot be changed.
    """
    version = _version(connection)
    columns = connection.execute("SELECT table_name, column_name FROM duckdb_columns()").fetchall()
    tables = {table for table, _ in columns}
    wanted = {(name, column.name) for name in TABLES if name in tables for column in TABLES[name].columns}
    if version < VERSION or not wanted <= set(columns):
        raise StoreError(
            f"an earlier driftline made the store (version {version}, this one reads {VERSION}); start its"
            " server or sensor once, which brings it forward, or read it with the driftline that made it"
        )


def _version(connection: Connection) -> int:
    found = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = '_version'").fetchone()
    row = connection.execute("SELECT max(version) FROM _version").fetchone() if found and found[0] else None
    version = int(row[0] or 0) if row else 0
    if version > VERSION:
        raise StoreError(f"the store is of version {version}, made by a later driftline; this one knows {VERSION}")
    return version


# Whatever the version: tables and columns are only ever added, so what is missing is new.
def _add_columns(connection: Connection) -> None:
    for name, table in TABLES.items():
        connection.execute(create_statement(name))
        existing = {row[0] for row in connection.execute(f"DESCRIBE {quoted(name)}").fetchall()}
        for column in table.columns:
            if column.name not in existing:
                kind = COLUMN_TYPES[column.type]
                connection.execute(f"ALTER TABLE {quoted(name)} ADD COLUMN {quoted(column.name)} {kind}")


def _first_tables(connection: Connection, _: Path) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS _streams (stream VARCHAR PRIMARY KEY, sequence BIGINT)")
    connection.execute("CREATE TABLE IF NOT EXISTS _cold (table_name VARCHAR, day DATE, file VARCHAR)")


def _received_ranges(connection: Connection, _: Path) -> None:
    connection.execute("CREATE TABLE _received (stream VARCHAR, first BIGINT, last BIGINT)")


# A check compares them with the files; earlier versions did not record them.
def _sizes_of_cold_files(connection: Connection, directory: Path) -> None:
    for column in ("rows", "bytes"):
        connection.execute(f"ALTER TABLE _cold ADD COLUMN {column} BIGINT")
    for (file,) in connection.execute("SELECT file FROM _cold").fetchall():
        path = directory / COLD / file
        sizes = (pyarrow.parquet.read_metadata(path).num_rows, path.stat().st_size)
        connection.execute("UPDATE _cold SET rows = ?, bytes = ? WHERE file = ?", [*sizes, file])


# Step n leads to version n + 1. Steps are only ever appended.
STEPS: Sequence[Callable[[Connection, Path], None]] = (_first_tables, _received_ranges, _sizes_of_cold_files)
VERSION = len(STEPS)
"""Version of the stores that this driftline writes."""
