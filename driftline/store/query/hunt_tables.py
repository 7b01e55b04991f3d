"""Hunts over Arrow tables and files that the caller names, with nothing else in reach.

DuckDB gets an environment that holds the tables (``query.environment``): in this process, or in a
sandbox process if the hunt's values may grow (``query.sandbox``). ``Limits`` bound memory, disk,
threads, time and the size of the answer.

The engine is a parameter of ``hunt_on`` (``Engine``), so that the tests can run the same hunt on
ClickHouse and compare. driftline itself runs hunts on DuckDB only.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet

from driftline import errors, kql
from driftline.store.query.environment import Environment, open_environment
from driftline.store.query.hunt_store import Explanation, TableScan, explanation
from driftline.store.query.limits import Limits, OnHunt, Stop, audit, run
from driftline.store.query.results import TICKS_PER_US, TYPES, row_tuples, to_kusto_types
from driftline.store.query.sandbox import run_sandboxed
from driftline.store.query.table_files import find_files, is_parquet, parse_datetimes, read_files
from driftline.store.query.views import literal
from driftline.store.schema import quoted

__all__ = [
    "DUCKDB",
    "TYPES",
    "Engine",
    "InputTable",
    "Limits",
    "Stop",
    "column_types",
    "explain",
    "hunt",
    "hunt_on",
    "rows_of",
    "schema_of",
]

_TIME_COLUMNS = ("Timestamp", "TimeGenerated")
"""Column of a row's time: of Defender's tables, and of Sentinel's."""

Tables = Mapping[str, "pa.Table | str | Path"]
Schema = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class InputTable:
    """A table that the caller of ``hunt`` names."""

    types: Mapping[str, str]
    """Kusto type by column."""
    rows: pa.Table | None
    """All rows, stored as the engines store Kusto's types; None for Parquet files, which are read on demand."""
    paths: Sequence[Path] = ()
    """Absolute paths of the Parquet files; empty if ``rows`` has the rows."""
    file_schema: pa.Schema | None = None
    """Arrow schema of the Parquet files together."""
    after: datetime.datetime | None = None
    """Rows of the files with an older ``time_column`` are left out (aware); None for all rows."""
    time_column: str = ""
    """Name of the column that ``after`` is compared with."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A database that runs hunts over input tables."""

    dialect: kql.Dialect
    """Dialect of SQL to translate KQL into."""
    run: Callable[[kql.Translation, Mapping[str, InputTable], Limits, Stop | None], pa.Table]
    """Runs a translation over the tables it reads, by name, and returns rows in the engine's Arrow types.

    Raises ``StoreError`` for a hunt that fails or reaches a limit.
    """


def hunt(
    text: str,
    tables: Tables,
    *,
    schema: Schema | None = None,
    parameters: Mapping[str, str] | None = None,
    after: datetime.datetime | None = None,
    limits: Limits | None = None,
    stop: Stop | None = None,
    on_hunt: OnHunt | None = None,
) -> pa.Table:
    """Run a KQL query over tables by name, and return its rows.

    A table is an Arrow table or names Parquet, CSV or JSON files (``table_files``): one, those of a
    folder or a pattern, or standard input. Of Parquet files only the columns and row groups that the
    query needs are read; other files are read whole.
    ``tables`` may be empty for a query that brings its own data (``datatable``, ``print``).

    ``schema`` overrides Kusto types by table and column (``dynamic`` for JSON text, ``timespan``,
    ``guid``). ``parameters`` are values, as text, for ``declare query_parameters``. ``after``
    (aware) leaves out rows with an older ``Timestamp`` (or ``TimeGenerated``); such a column of
    another type is an error. ``stop`` ends the hunt from another thread.
    ``on_hunt`` is called with a record of the hunt when it has ended.

    The result has timestamps in UTC, timespans as durations in microseconds and dynamic values as
    JSON text. The metadata of each field names its Kusto type under ``kusto``.

    Raises ``InvalidQuery`` for mistakes in the query, ``InvalidInput`` for tables that cannot be
    read, and ``StoreError`` when a limit is reached or the engine fails.
    """
    return hunt_on(
        DUCKDB,
        text,
        tables,
        schema=schema,
        parameters=parameters,
        after=after,
        limits=limits,
        stop=stop,
        on_hunt=on_hunt,
    )


def hunt_on(
    engine: Engine,
    text: str,
    tables: Tables,
    *,
    schema: Schema | None = None,
    parameters: Mapping[str, str] | None = None,
    after: datetime.datetime | None = None,
    limits: Limits | None = None,
    stop: Stop | None = None,
    on_hunt: OnHunt | None = None,
) -> pa.Table:
    """Run a KQL query on an engine; parameters, result and errors are those of ``hunt``."""
    with audit(text, on_hunt) as outcome:
        given = _input_tables(tables, schema)
        recent = {name: _since(name, table, after) for name, table in given.items()}
        bounds = limits or Limits()

        def discover(lookup: kql.Translation) -> list[tuple[Any, ...]]:
            return row_tuples(engine.run(lookup, recent, bounds, stop))

        translation = _translate(text, given, engine.dialect, parameters, discover)
        outcome.tables = translation.tables
        read = {name: recent[name] for name in translation.tables}
        rows = to_kusto_types(engine.run(translation, read, bounds, stop), translation.columns)
        outcome.rows = rows.num_rows
        return rows


def column_types(tables: Tables, *, schema: Schema | None = None) -> Schema:
    """Return the Kusto types of the columns of input tables, by table; raises ``InvalidInput`` as ``hunt`` does."""
    return {name: table.types for name, table in _input_tables(tables, schema).items()}


def explain(
    text: str,
    tables: Tables,
    *,
    schema: Schema | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Explanation:
    """Explain how DuckDB would run a hunt over such tables; raises as ``hunt`` does."""
    given = _input_tables(tables, schema)

    def discover(lookup: kql.Translation) -> list[tuple[Any, ...]]:
        return row_tuples(_run_on_duckdb(lookup, given, Limits(), None))

    translation = _translate(text, given, "duckdb", parameters, discover)
    read = {name: given[name] for name in translation.tables}
    with open_environment(_environment(read), Limits()) as connection:
        plan = run(connection, f"EXPLAIN {translation.sql}", Limits())
    readings = tuple(
        TableScan(table=name, files=len(table.paths), of=max(1, len(table.paths))) for name, table in read.items()
    )
    return explanation(kql.outline(translation), translation.sql, plan, readings)


def _translate(
    text: str,
    given: Mapping[str, InputTable],
    dialect: kql.Dialect,
    parameters: Mapping[str, str] | None,
    discover: kql.Discover,
) -> kql.Translation:
    types = {name: table.types for name, table in given.items()}
    now = datetime.datetime.now(datetime.UTC)
    return kql.compiled(text, types, dialect, now=now, parameters=parameters, discover=discover)


# Input tables


def schema_of(table: pa.Table) -> dict[str, str]:
    """Return the Kusto type of each column of an Arrow table.

    The field metadata ``kusto`` names the type if it is there; otherwise the Arrow type decides.
    Raises ``InvalidInput`` for an Arrow type without a Kusto type.
    """
    return {field.name: _kusto_type(field) for field in table.schema}


def rows_of(table: InputTable) -> pa.Table:
    """Return all rows of an input table, reading its Parquet files if it has some."""
    return table.rows if table.rows is not None else _to_storage(read_files(table.paths), table.types)


def _input_tables(tables: Tables, schema: Schema | None) -> dict[str, InputTable]:
    return {name: _input_table(name, table, (schema or {}).get(name, {})) for name, table in tables.items()}


# CSV and JSON have no statistics by which parts could be skipped, so they are read whole.
def _input_table(name: str, table: pa.Table | str | Path, types: Mapping[str, str]) -> InputTable:
    if isinstance(table, (str, Path)):
        paths = find_files(table)
        if all(map(is_parquet, paths)):
            file_schema = _parquet_schema(paths)
            absolute = tuple(path.absolute() for path in paths)
            return InputTable(_types(name, file_schema, types), None, absolute, file_schema)
        table = read_files(paths)
    found = _types(name, table.schema, types)
    return InputTable(found, _to_storage(table, found))


def _parquet_schema(paths: Sequence[Path]) -> pa.Schema:
    schemas = []
    for path in paths:
        try:
            schemas.append(pyarrow.parquet.read_schema(path))
        except (OSError, pa.ArrowException) as error:
            raise errors.InvalidInput(f"{path}: {error}") from error
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        raise errors.InvalidInput(f"the files of the table differ: {error}") from error


# DuckDB's column names ignore case, Kusto's do not: two names that differ in case alone would be one column.
def _types(name: str, arrow: pa.Schema, overrides: Mapping[str, str]) -> dict[str, str]:
    folded = [column.casefold() for column in arrow.names]
    if len(set(folded)) < len(folded):
        raise errors.InvalidInput(f"the table {name} has two columns whose names differ only in case")
    missing = overrides.keys() - set(arrow.names)
    if missing:
        raise errors.InvalidInput(f"the schema names columns that the table lacks: {', '.join(sorted(missing))}")
    return {field.name: overrides.get(field.name) or _kusto_type(field) for field in arrow}


# An Arrow table is filtered at once; Parquet files by their view, so that DuckDB can skip row groups. Tables without a
# column of times, such as lists of names, keep all rows.
def _since(name: str, table: InputTable, after: datetime.datetime | None) -> InputTable:
    column = next((column for column in _TIME_COLUMNS if column in table.types), None)
    if after is None or column is None:
        return table
    if table.types[column] != "datetime":
        raise errors.InvalidInput(
            f"the column {column} of the table {name} is of type {table.types[column]}, but a time span needs a "
            "datetime: give the column's type in the schema, or leave the time span out"
        )
    if table.rows is None:
        return dataclasses.replace(table, after=after, time_column=column)
    moment = pa.scalar(after.astimezone(datetime.UTC).replace(tzinfo=None), pa.timestamp("us"))
    recent = table.rows.filter(pa.compute.greater_equal(table.rows.column(column), moment))
    return dataclasses.replace(table, rows=recent)


def _kusto_type(field: pa.Field[Any]) -> str:
    named = (field.metadata or {}).get(b"kusto")
    return named.decode() if named else _kusto_type_of(field.type)


def _kusto_type_of(kind: pa.DataType) -> str:
    for accepts, name in KUSTO_TYPES:
        if accepts(kind):
            return name
    raise errors.InvalidInput(f"a column of Arrow type {kind} has no Kusto type")


# The first match counts: signed integers of up to 32 bits are Kusto's int, all other integers its long.
# https://learn.microsoft.com/kusto/query/scalar-data-types/
KUSTO_TYPES: list[tuple[Any, str]] = [
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


# Kusto's types as the engines store them: datetime as a timestamp without time zone (UTC), timespan as
# ticks of 100 ns in a 64-bit integer, dynamic as JSON text.
def _to_storage(table: pa.Table, types: Mapping[str, str]) -> pa.Table:
    columns = [_column_to_storage(table.column(name), kind) for name, kind in types.items()]
    return pa.table(dict(zip(types, columns, strict=True)))


def _column_to_storage(column: pa.ChunkedArray[Any], kind: str) -> pa.ChunkedArray[Any]:
    try:
        if kind == "datetime" and pa.types.is_string(column.type):
            return pa.chunked_array([parse_datetimes(column.to_pylist()).cast(pa.timestamp("us"))])
        if kind == "datetime":
            return column.cast(pa.timestamp("us"), safe=False)
        if kind == "timespan" and pa.types.is_duration(column.type):
            return pa.compute.multiply(column.cast(pa.duration("us")).cast(pa.int64()), TICKS_PER_US)
        if kind == "dynamic" and pa.types.is_nested(column.type):
            return _json_texts(column)
        return column.cast(pa.int64() if kind == "timespan" else TYPES[kind])
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise errors.InvalidInput(f"a column of Arrow type {column.type} cannot be read as {kind}: {error}") from error


# Arrow has no function that writes nested values as JSON; DuckDB's to_json does.
def _json_texts(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    with duckdb.connect() as connection:
        connection.register("nested", pa.table({"value": column}))
        made = connection.sql(
            "SELECT CASE WHEN value IS NULL THEN NULL ELSE CAST(to_json(value) AS TEXT) END AS value FROM nested"
        )
        texts: pa.Table = made.to_arrow_table()
        return texts.column("value")


# DuckDB


def _run_on_duckdb(
    translation: kql.Translation, tables: Mapping[str, InputTable], limits: Limits, stop: Stop | None
) -> pa.Table:
    environment = _environment(tables)
    if translation.grows:
        return run_sandboxed(environment, translation.sql, limits, stop)
    with open_environment(environment, limits) as connection:
        return run(connection, translation.sql, limits, stop)


DUCKDB = Engine("duckdb", _run_on_duckdb)


def _environment(tables: Mapping[str, InputTable]) -> Environment:
    rows = {name: table.rows for name, table in tables.items() if table.rows is not None}
    files = {name: table for name, table in tables.items() if table.rows is None}
    views = tuple(_file_view(name, table) for name, table in files.items())
    return Environment(rows, views, files=tuple(str(path) for table in files.values() for path in table.paths))


# A view, so that DuckDB reads only the columns and row groups that the hunt needs.
def _file_view(name: str, table: InputTable) -> str:
    assert table.file_schema is not None
    columns = ", ".join(_file_column(table.file_schema.field(column), kind) for column, kind in table.types.items())
    paths = ", ".join(literal(str(path)) for path in table.paths)
    rows = f"SELECT {columns} FROM read_parquet([{paths}], union_by_name = true)"  # noqa: S608 -- all is quoted
    condition = f" WHERE {quoted(table.time_column)} >= {literal(table.after.isoformat())}" if table.after else ""
    return f"CREATE VIEW {quoted(name)} AS {rows}{condition}"


def _file_column(field: pa.Field[Any], kind: str) -> str:
    name = quoted(field.name)
    return f"{_file_value(name, field.type, kind)} AS {name}"


# The same storage types as ``_to_storage`` gives, for values that are still in the file.
def _file_value(name: str, arrow: pa.DataType, kind: str) -> str:
    if kind == "datetime" and pa.types.is_timestamp(arrow) and arrow.tz:
        return f"make_timestamp(epoch_us({name}))"
    if kind == "timespan" and pa.types.is_duration(arrow):
        return f"CAST(epoch_us({name}) * {TICKS_PER_US} AS BIGINT)"
    if kind == "dynamic":
        return f"to_json({name})" if pa.types.is_nested(arrow) else f"TRY_CAST({name} AS JSON)"
    return f"CAST({name} AS {DUCKDB_TYPES[kind]})"


DUCKDB_TYPES = {
    "string": "VARCHAR",
    "guid": "VARCHAR",
    "bool": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "datetime": "TIMESTAMP",
    "timespan": "BIGINT",
}
