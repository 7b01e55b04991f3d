"""DuckDB as the store opens it: within bounds, its errors translated into driftline's."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb

from driftline.errors import DriftlineError, StoreBusy, StoreCorrupt, StoreError, StoreFull
from driftline.store.schema import HOT
from driftline.store.udf import registration

__all__ = [
    "COLD",
    "HOT",
    "QUERY_SECONDS",
    "checkpoint",
    "connect",
    "is_invalidated",
    "transaction",
    "translate_errors",
]

COLD = "cold"
"""Name of the directory of Parquet files."""
MEMORY = "512MB"
SPILL = "4GB"
QUERY_SECONDS = 30.0
"""Time in seconds after which a row query is stopped."""
CHECKPOINT_BYTES = 64 << 20
"""Size of the write-ahead log from which it is merged; 16 MB, DuckDB's default, would cost a fifth of all ingest."""
_CHECKPOINT_SLACK = 16 << 20
# DuckDB's own checkpoints follow a commit whatever space there is, and one that fails makes DuckDB refuse every
# statement. So they never happen; see ``checkpoint``.
_NEVER = "1000TB"


def connect(directory: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a store's database file; SQL can neither read other files nor change these settings.

    Raises ``duckdb.Error``. Times are in UTC. The store's Parquet files are the only other files that
    SQL can reach.
    """
    connection = duckdb.connect(directory / HOT, read_only=read_only)
    cold = str(directory / COLD).replace("'", "''")
    # Locked in the end: https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
    for setting in (
        "TimeZone = 'UTC'",
        f"memory_limit = '{MEMORY}'",
        f"max_temp_directory_size = '{SPILL}'",
        "error_on_division_by_zero = false",
        "python_enable_replacements = false",
        "threads = 2",
        f"checkpoint_threshold = '{_NEVER}'",
        f"allowed_directories = ['{cold}']",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    registration.register_functions(connection)
    return connection


def checkpoint(connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
    """Merge the write-ahead log into the database file if it is large and the disk has room; raises ``duckdb.Error``.

    Without room the log grows on, and a commit that finds none left fails by itself.
    """
    try:
        size = (directory / f"{HOT}.wal").stat().st_size
    except FileNotFoundError:
        return
    if size < CHECKPOINT_BYTES or shutil.disk_usage(directory).free < size + _CHECKPOINT_SLACK:
        return
    with contextlib.suppress(duckdb.TransactionException):  # another transaction writes: the next commit tries again
        connection.execute("CHECKPOINT")


@contextlib.contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run the block in a transaction: commit at its end, roll back on an exception."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


# DuckDB has no error classes for these, so its messages tell: a part of the text, the error, our message.
_MESSAGES = (
    ("Could not set lock", StoreBusy, "another process has the store open"),
    ("No space left", StoreFull, "there is no space left for the store"),
    (
        "not a valid DuckDB database file",
        StoreCorrupt,
        "the store's file is damaged; move it away to start with an empty store",
    ),
    ("Corrupt", StoreCorrupt, "the store's file is damaged; move it away to start with an empty store"),
)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Translate DuckDB's and the operating system's errors into ``StoreError`` or its subclasses."""
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


def is_invalidated(error: BaseException | None) -> bool:
    """Return whether an error, or one that caused it, is one after which DuckDB refuses every statement.

    ``FatalException`` is the class of DuckDB's errors that make an instance unusable.
    """
    while error is not None:
        if isinstance(error, duckdb.FatalException) or _INVALIDATED in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


_INVALIDATED = "database has been invalidated"
