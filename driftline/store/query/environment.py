"""The DuckDB instance of one hunt: some tables, some files, and access to nothing else."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from driftline import errors
from driftline.store.query.limits import Limits
from driftline.store.query.views import literal
from driftline.store.udf import registration

__all__ = ["Environment", "open_environment"]

# DuckDB's settings for untrusted SQL: https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
# The order matters: paths are allowed before access is switched off, and nothing can be set once it is locked.
# Python replacement scans would let SQL read variables of this process by name.
LOCKED = """
SET error_on_division_by_zero = false; SET allowed_paths = [{files}]; SET enable_external_access = false;
SET python_enable_replacements = false; SET lock_configuration = true
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything that the SQL of a hunt can read."""

    rows: Mapping[str, pa.Table]
    """Tables in memory by name."""
    views: Sequence[str] = ()
    """Statements that make views over rows and files."""
    files: Sequence[str] = ()
    """Paths of the files that the views read."""


@contextlib.contextmanager
def open_environment(environment: Environment, limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB that holds an environment, and lock its configuration.

    DuckDB bounds memory, temporary files and threads by ``limits``; times are in UTC. Raises
    ``InvalidInput`` if a table or file cannot be read.
    """
    with (
        tempfile.TemporaryDirectory(prefix="driftline-hunt-") as scratch,
        duckdb.connect(":memory:", config=_settings(limits, scratch)) as connection,
    ):
        try:
            _load(connection, environment)
        except duckdb.Error as error:
            raise errors.InvalidInput(f"the tables cannot be read: {error}") from error
        yield connection


# Extensions would be downloaded (autoinstall) or loaded from the disk (autoload) when SQL needs them.
def _settings(limits: Limits, scratch: str) -> dict[str, Any]:
    return {
        "threads": limits.threads,
        "memory_limit": f"{limits.memory}MiB",
        "temp_directory": scratch,
        "max_temp_directory_size": f"{limits.disk}MiB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


def _load(connection: duckdb.DuckDBPyConnection, environment: Environment) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    registration.register_functions(connection)
    for name, rows in environment.rows.items():
        connection.register(name, rows)
    for statement in environment.views:
        connection.execute(statement)
    connection.execute(LOCKED.format(files=", ".join(literal(path) for path in environment.files)))
