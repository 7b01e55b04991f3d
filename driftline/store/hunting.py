"""Run KQL over Arrow tables and files, with nothing else in reach.

DuckDB gets the tables registered (files are opened first, by this process), then external
access is switched off and the configuration locked, and only then the query runs. Memory,
threads and time are bounded. ClickHouse's engine (``chdb``, a development dependency) reads
the same tables from Parquet files in a directory of its own; it is the second opinion.
"""

from __future__ import annotations

import functools
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from driftline import errors, kql

__all__ = ["Engine", "Limits", "hunt", "open_table", "schema_of"]

Engine = Literal["duckdb", "clickhouse"]
Tables = Mapping[str, "pa.Table | str | Path"]
TYPES = {
    "string": pa.string(),
    "guid": pa.string(),
    "dynamic": pa.string(),
    "bool": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "real": pa.float64(),
    "datetime": pa.timestamp("us", "UTC"),
    "timespan": pa.duration("us"),
}
READERS: dict[str, Callable[[str], pa.Table]] = {
    ".parquet": pyarrow.parquet.read_table,
    ".csv": pyarrow.csv.read_csv,
    ".json": pyarrow.json.read_json,
    ".jsonl": pyarrow.json.read_json,
    ".ndjson": pyarrow.json.read_json,
}
LOCKED = """
SET TimeZone = 'UTC'; SET error_on_division_by_zero = false; SET enable_external_access = false;
SET python_enable_replacements = false; SET lock_configuration = true
"""
CLICKHOUSE_SETTINGS = {
    "join_use_nulls": 1,
    "session_timezone": "'UTC'",
    "enable_unaligned_array_join": 1,
    "enable_materialized_cte": 1,
    "max_recursive_cte_evaluation_depth": 100_000,  # a row of a scan each
    "output_format_arrow_string_as_string": 1,
}
TICKS_PER_US = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one hunt: memory in MiB, threads, seconds."""

    memory: int = 2048
    threads: int = 2
    seconds: float = 60.0


def hunt(
    text: str,
    tables: Tables,
    engine: Engine = "duckdb",
    *,
    schema: Mapping[str, Mapping[str, str]] | None = None,
    limits: Limits | None = None,
) -> pa.Table:
    """Run a query over tables by name, and give its rows.

    A table is an Arrow table or the name of a Parquet, CSV or JSON-lines file. ``schema``
    overrides Kusto types by table and column (``dynamic`` for JSON text, ``timespan``,
    ``guid``). The result has timestamps in UTC, timespans as durations and dynamic values as
    JSON text; its field metadata names the Kusto type under ``kusto``. ``{}`` serves queries
    that bring their own data.

    Raises ``InvalidQuery`` for what the query says wrong, ``InvalidInput`` for tables that
    cannot be read, and ``StoreError`` when a limit is reached or the engine fails.
    """
    if engine not in ENGINES:
        raise errors.InvalidInput(f"expected the engine duckdb or clickhouse, got {engine!r}")
    opened = {name: _opened(name, table) for name, table in tables.items()}
    types = {name: {**schema_of(table), **(schema or {}).get(name, {})} for name, table in opened.items()}
    plain = {name: _plain(table, types[name]) for name, table in opened.items()}
    run = functools.partial(ENGINES[engine], tables=plain, limits=limits or Limits())
    translation = kql.compiled(text, types, engine, discover=lambda sql: _tuples(run(sql)))
    return _typed(run(translation.sql), translation.columns)


def _tuples(rows: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def open_table(path: str | Path) -> pa.Table:
    """Read a Parquet, CSV or JSON-lines file; raises ``InvalidInput`` if it is none."""
    read = READERS.get(Path(path).suffix.lower())
    if read is None:
        raise errors.InvalidInput(f"{path}: expected a file named .parquet, .csv, .json, .jsonl or .ndjson")
    try:
        return read(str(path))
    except (OSError, pa.ArrowException) as error:
        raise errors.InvalidInput(f"{path}: {error}") from error


def schema_of(table: pa.Table) -> dict[str, str]:
    """Give the Kusto type of each column of an Arrow table."""
    return {field.name: _kusto(field) for field in table.schema}


def _opened(name: str, table: pa.Table | str | Path) -> pa.Table:
    opened = open_table(table) if isinstance(table, (str, Path)) else table
    folded = [column.casefold() for column in opened.column_names]
    if len(set(folded)) < len(folded):
        raise errors.InvalidInput(f"the table {name} has two columns of one name, but for case")
    return opened


def _kusto(field: pa.Field[Any]) -> str:
    said = (field.metadata or {}).get(b"kusto")
    return said.decode() if said else _kusto_of(field.type)


def _kusto_of(kind: pa.DataType) -> str:
    for accepts, name in KUSTO:
        if accepts(kind):
            return name
    raise errors.InvalidInput(f"a column of Arrow type {kind} has no Kusto type")


KUSTO: list[tuple[Any, str]] = [
    (pa.types.is_boolean, "bool"),
    (lambda kind: pa.types.is_signed_integer(kind) and kind.bit_width <= 32, "int"),
    (pa.types.is_integer, "long"),
    (pa.types.is_floating, "real"),
    (pa.types.is_decimal, "real"),
    (lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind), "datetime"),
    (pa.types.is_duration, "timespan"),
    (
        lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind),
        "string",
    ),
    (pa.types.is_dictionary, "string"),
    (pa.types.is_null, "string"),
    (pa.types.is_binary, "string"),
    (pa.types.is_nested, "dynamic"),
]


# Tables as the engines store them: datetimes without zone, timespans as ticks, dynamics as text.
def _plain(table: pa.Table, types: Mapping[str, str]) -> pa.Table:
    missing = types.keys() - set(table.column_names)
    if missing:
        raise errors.InvalidInput(f"the schema names columns the table has not: {', '.join(sorted(missing))}")
    columns = [_plain_column(table.column(name), kind) for name, kind in types.items()]
    return pa.table(dict(zip(types, columns, strict=True)))


def _plain_column(column: pa.ChunkedArray[Any], kind: str) -> pa.ChunkedArray[Any]:
    try:
        if kind == "datetime":
            return column.cast(pa.timestamp("us"), safe=False)
        if kind == "timespan" and pa.types.is_duration(column.type):
            return pa.compute.multiply(column.cast(pa.duration("us")).cast(pa.int64()), TICKS_PER_US)
        if kind == "dynamic" and pa.types.is_nested(column.type):
            return _json_texts(column)
        return column.cast(pa.int64() if kind == "timespan" else TYPES[kind])
    except (pa.ArrowException, KeyError) as error:
        raise errors.InvalidInput(f"a column of Arrow type {column.type} cannot be read as {kind}: {error}") from error


def _json_texts(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    with duckdb.connect() as connection:
        connection.register("nested", pa.table({"value": column}))
        made = connection.sql(
            "SELECT CASE WHEN value IS NULL THEN NULL ELSE CAST(to_json(value) AS TEXT) END AS value FROM nested"
        )
        return _arrow(made).column("value")


def _typed(rows: pa.Table, columns: tuple[tuple[str, str], ...]) -> pa.Table:
    """Give the result its Arrow types, and names that may differ in case alone."""
    arrays = [_typed_column(rows.column(number), kind) for number, (_, kind) in enumerate(columns)]
    fields = [pa.field(name, TYPES[kind], metadata={"kusto": kind}) for name, kind in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _typed_column(column: pa.ChunkedArray[Any], kind: str) -> pa.ChunkedArray[Any]:
    if kind == "timespan":
        return pa.compute.divide(column.cast(pa.int64()), TICKS_PER_US).cast(pa.duration("us"))
    if kind == "datetime" and not column.type.equals(TYPES["datetime"]):
        return (
            column.cast(pa.timestamp("us"), safe=False).cast(TYPES["datetime"])
            if column.type.tz is None
            else column.cast(TYPES["datetime"], safe=False)
        )
    if pa.types.is_binary(column.type):
        column = column.cast(pa.string())
    return column.cast(TYPES[kind])


# Engines


def _on_duckdb(sql: str, tables: Mapping[str, pa.Table], limits: Limits) -> pa.Table:
    settings: dict[str, Any] = {
        "threads": limits.threads,
        "memory_limit": f"{limits.memory}MiB",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with duckdb.connect(":memory:", config=settings) as connection:
        for name, table in tables.items():
            connection.register(name, table)
        connection.execute(LOCKED)
        return _within(connection, sql, limits.seconds)


def _within(connection: duckdb.DuckDBPyConnection, sql: str, seconds: float) -> pa.Table:
    """Run a query, and interrupt it after so many seconds."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.start()
    try:
        return _arrow(connection.sql(sql))
    except duckdb.InterruptException as error:
        raise errors.StoreError(f"the hunt took longer than {seconds} s") from error
    except duckdb.Error as error:
        raise errors.StoreError(f"the hunt failed: {error}") from error
    finally:
        timer.cancel()


def _arrow(relation: duckdb.DuckDBPyRelation) -> pa.Table:
    rows: pa.Table = relation.to_arrow_table()
    return rows


def _on_clickhouse(sql: str, tables: Mapping[str, pa.Table], limits: Limits) -> pa.Table:
    from chdb import session  # noqa: PLC0415 -- a development dependency, 500 MB

    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="driftline-hunt-"))
        connection = stack.enter_context(session.Session())  # type: ignore[no-untyped-call] # chdb is not typed
        for number, (name, table) in enumerate(tables.items()):
            path = f"{directory}/{number}.parquet"
            pyarrow.parquet.write_table(table, path)
            quoted = "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
            connection.query(f"CREATE OR REPLACE VIEW {quoted} AS SELECT * FROM file('{path}', 'Parquet')")  # noqa: S608
        settings = CLICKHOUSE_SETTINGS | {"max_threads": limits.threads, "max_execution_time": limits.seconds}
        suffix = "SETTINGS " + ", ".join(f"{name} = {value}" for name, value in settings.items())
        try:
            answer = connection.query(f"{sql} {suffix}", "ArrowStream")
        except RuntimeError as error:
            raise errors.StoreError(f"the hunt failed: {error}") from error
        with pa.ipc.open_stream(answer.bytes()) as stream:
            return stream.read_all()


ENGINES = {"duckdb": _on_duckdb, "clickhouse": _on_clickhouse}
