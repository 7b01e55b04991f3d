"""DuckDB as the store uses it: opened within bounds, its errors translate_errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import duckdb

from driftline.errors import DriftlineError, StoreBusy, StoreCorrupt, StoreError, StoreFull
from driftline.store.udf import registration

__all__ = ["COLD", "HOT", "QUERY_SECONDS", "connect", "transaction", "translate_errors"]

HOT = "hot.duckdb"
COLD = "cold"
MEMORY = "512MB"
SPILL = "4GB"
QUERY_SECONDS = 30.0
_CHECKPOINT = "64MB"  # a checkpoint of every 16 MB of log, DuckDB's default, costs a fifth of what ingest does


def connect(directory: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a store's database. Nothing a query says can reach another file, nor lift these limits."""
    connection = duckdb.connect(directory / HOT, read_only=read_only)
    cold = str(directory / COLD).replace("'", "''")
    for setting in (
        "TimeZone = 'UTC'",
        f"memory_limit = '{MEMORY}'",
        f"max_temp_directory_size = '{SPILL}'",
        "error_on_division_by_zero = false",
        "python_enable_replacements = false",
        "threads = 2",
        f"checkpoint_threshold = '{_CHECKPOINT}'",
        f"allowed_directories = ['{cold}']",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    registration.register_functions(connection)
    return connection


@contextlib.contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what the block does, or nothing of it."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


_MESSAGES = (
    ("Could not set lock", StoreBusy, "another process has the store open"),
    ("No space left", StoreFull, "there is no space left for the store"),
    ("not a valid DuckDB database file", StoreCorrupt, "the store's file is damaged; move it away to start anew"),
    ("Corrupt", StoreCorrupt, "the store's file is damaged; move it away to start anew"),
)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Turn DuckDB's and the system's errors into ``StoreError``."""
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
