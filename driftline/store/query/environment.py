"""What a hunt gets to see, in a DuckDB of its own: some rows, some files, and nothing else."""

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

LOCKED = """
SET error_on_division_by_zero = false; SET allowed_paths = [{files}]; SET enable_external_access = false;
SET python_enable_replacements = false; SET lock_configuration = true
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """``rows`` by name, ``views`` (statements that make them), and the ``files`` these may read."""

    rows: Mapping[str, pa.Table]
    views: Sequence[str] = ()
    files: Sequence[str] = ()


@contextlib.contextmanager
def open_environment(environment: Environment, limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """Set a environment, switch off all else, and lock; raises ``InvalidInput`` if its tables cannot be read."""
    with (
        tempfile.TemporaryDirectory(prefix="driftline-hunt-") as scratch,
        duckdb.connect(":memory:", config=_settings(limits, scratch)) as connection,
    ):
        try:
            _set(connection, environment)
        except duckdb.Error as error:
            raise errors.InvalidInput(f"the tables cannot be read: {error}") from error
        yield connection


def _settings(limits: Limits, scratch: str) -> dict[str, Any]:
    return {
        "threads": limits.threads,
        "memory_limit": f"{limits.memory}MiB",
        "temp_directory": scratch,
        "max_temp_directory_size": f"{limits.disk}MiB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


def _set(connection: duckdb.DuckDBPyConnection, environment: Environment) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    registration.register_functions(connection)
    for name, rows in environment.rows.items():
        connection.register(name, rows)
    for statement in environment.views:
        connection.execute(statement)
    connection.execute(LOCKED.format(files=", ".join(literal(path) for path in environment.files)))
