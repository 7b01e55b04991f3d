"""Run KQL over Arrow tables and files, with nothing else in reach.

DuckDB gets a environment of the tables (``query.environment``), in a process of its own if the hunt's values may grow
(``query.sandbox``). Memory, disk, threads, time and the answer's size are bounded. ClickHouse's engine
(``chdb``, a development dependency) reads the same tables from Parquet files in a directory of its
own; it is the second opinion.
"""

from __future__ import annotations

import dataclasses
import datetime
import tempfile
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
from driftline.store.query.environment import Environment, open_environment
from driftline.store.query.hunt_store import Explained, Reading, explained
from driftline.store.query.limits import Limits, OnHunt, Stop, audited, run
from driftline.store.query.results import TICKS_PER_US, TYPES, tuples, typed
from driftline.store.query.sandbox import run_sandboxed
from driftline.store.query.views import literal
from driftline.store.schema import quoted

__all__ = ["TYPES", "Engine", "Limits", "Stop", "explain", "hunt", "open_table", "schema_of"]

Engine = Literal["duckdb", "clickhouse"]
Tables = Mapping[str, "pa.Table | str | Path"]
READERS: dict[str, Callable[[str], pa.Table]] = {
    ".parquet": pyarrow.parquet.read_table,
    ".csv": pyarrow.csv.read_csv,
    ".json": pyarrow.json.read_json,
    ".jsonl": pyarrow.json.read_json,
    ".ndjson": pyarrow.json.read_json,
}
LONGEST_SQL = 16 << 20  # hunts may list a hundred thousand hashes
CLICKHOUSE_SETTINGS = {
    "join_use_nulls": 1,
    "session_timezone": "'UTC'",
    "enable_unaligned_array_join": 1,
    "output_format_json_escape_forward_slashes": 0,
    "enable_materialized_cte": 1,
    "max_recursive_cte_evaluation_depth": 100_000,  # a row of a scan each
    "output_format_arrow_string_as_string": 1,
}


def hunt(
    text: str,
    tables: Tables,
    engine: Engine = "duckdb",
    *,
    schema: Mapping[str, Mapping[str, str]] | None = None,
    parameters: Mapping[str, str] | None = None,
    after: datetime.datetime | None = None,
    limits: Limits | None = None,
    stop: Stop | None = None,
    on_hunt: OnHunt | None = None,
) -> pa.Table:
    """Run a query over tables by name, and give its rows.

    A table is an Arrow table or the name of a Parquet, CSV or JSON-lines file. Of a Parquet file
    only the columns and row groups are read that the query needs, the others are read whole.
    ``schema`` overrides Kusto types by table and column (``dynamic`` for JSON text, ``timespan``,
    ``guid``). ``parameters`` are values, as text, for ``declare query_parameters``. ``after``
    (aware) leaves out rows whose ``Timestamp`` is older. ``stop`` ends the hunt from another
    thread, ``on_hunt`` is told of it when it ended.

    The result has timestamps in UTC, timespans as durations and dynamic values as JSON text; its
    field metadata names the Kusto type under ``kusto``. ``{}`` serves queries that bring their
    own data.

    Raises ``InvalidQuery`` for what the query says wrong, ``InvalidInput`` for tables that
    cannot be read, and ``StoreError`` when a limit is reached or the engine fails.
    """
    if engine not in ENGINES:
        raise errors.InvalidInput(f"expected the engine duckdb or clickhouse, got {engine!r}")
    with audited(text, on_hunt) as told:
        given = {name: _given(name, table, (schema or {}).get(name, {})) for name, table in tables.items()}
        recent = {name: _since(table, after) for name, table in given.items()}
        bounds = limits or Limits()
        discover = lambda asked: tuples(ENGINES[engine](asked, recent, bounds, stop))  # noqa: E731
        translation = _translated(text, given, engine, parameters, discover)
        told.tables = translation.tables
        read = {name: recent[name] for name in translation.tables}
        rows = typed(ENGINES[engine](translation, read, bounds, stop), translation.columns)
        told.rows = rows.num_rows
        return rows


def explain(
    text: str,
    tables: Tables,
    *,
    schema: Mapping[str, Mapping[str, str]] | None = None,
    parameters: Mapping[str, str] | None = None,
) -> Explained:
    """Tell how a hunt over such tables would run on DuckDB; raises as ``hunt`` does."""
    given = {name: _given(name, table, (schema or {}).get(name, {})) for name, table in tables.items()}
    discover = lambda asked: tuples(_on_duckdb(asked, given, Limits(), None))  # noqa: E731
    translation = _translated(text, given, "duckdb", parameters, discover)
    read = {name: given[name] for name in translation.tables}
    with open_environment(_environment(read), Limits()) as connection:
        plan = run(connection, f"EXPLAIN {translation.sql}", Limits())
    readings = tuple(Reading(table=name, files=int(table.path is not None), of=1) for name, table in read.items())
    return explained(translation, plan, readings)


def _translated(
    text: str,
    given: Mapping[str, Given],
    engine: Engine,
    parameters: Mapping[str, str] | None,
    discover: kql.Discover,
) -> kql.Translation:
    types = {name: table.types for name, table in given.items()}
    now = datetime.datetime.now(datetime.UTC)
    return kql.compiled(text, types, engine, now=now, parameters=parameters, discover=discover)


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


@dataclass(frozen=True, slots=True)
class Given:
    """A table that was given: its Kusto types by column, and its rows or the Parquet file they are in."""

    types: Mapping[str, str]
    rows: pa.Table | None
    path: Path | None = None
    stored: pa.Schema | None = None
    after: datetime.datetime | None = None


def _given(name: str, table: pa.Table | str | Path, types: Mapping[str, str]) -> Given:
    if isinstance(table, (str, Path)) and Path(table).suffix.lower() == ".parquet":
        stored = _parquet_schema(Path(table))
        return Given(_types(name, stored, types), None, Path(table).absolute(), stored)
    rows = open_table(table) if isinstance(table, (str, Path)) else table
    found = _types(name, rows.schema, types)
    return Given(found, _plain(rows, found))


def _parquet_schema(path: Path) -> pa.Schema:
    try:
        return pyarrow.parquet.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise errors.InvalidInput(f"{path}: {error}") from error


def _types(name: str, stored: pa.Schema, given: Mapping[str, str]) -> dict[str, str]:
    folded = [column.casefold() for column in stored.names]
    if len(set(folded)) < len(folded):
        raise errors.InvalidInput(f"the table {name} has two columns of one name, but for case")
    missing = given.keys() - set(stored.names)
    if missing:
        raise errors.InvalidInput(f"the schema names columns the table has not: {', '.join(sorted(missing))}")
    return {field.name: given.get(field.name) or _kusto(field) for field in stored}


def _since(table: Given, after: datetime.datetime | None) -> Given:
    if after is None or table.types.get("Timestamp") != "datetime":
        return table
    if table.rows is None:
        return dataclasses.replace(table, after=after)
    moment = pa.scalar(after.astimezone(datetime.UTC).replace(tzinfo=None), pa.timestamp("us"))
    recent = table.rows.filter(pa.compute.greater_equal(table.rows.column("Timestamp"), moment))
    return dataclasses.replace(table, rows=recent)


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
        texts: pa.Table = made.to_arrow_table()
        return texts.column("value")


# Engines


def _on_duckdb(asked: kql.Translation, tables: Mapping[str, Given], limits: Limits, stop: Stop | None) -> pa.Table:
    environment = _environment(tables)
    if asked.grows:
        return run_sandboxed(environment, asked.sql, limits, stop)
    with open_environment(environment, limits) as connection:
        return run(connection, asked.sql, limits, stop)


def _environment(tables: Mapping[str, Given]) -> Environment:
    rows = {name: table.rows for name, table in tables.items() if table.rows is not None}
    files = {name: table for name, table in tables.items() if table.rows is None}
    views = tuple(_file_view(name, table) for name, table in files.items())
    return Environment(rows, views, files=tuple(str(table.path) for table in files.values()))


def _file_view(name: str, table: Given) -> str:
    assert table.stored is not None
    shown = ", ".join(_file_column(table.stored.field(column), kind) for column, kind in table.types.items())
    rows = f"SELECT {shown} FROM read_parquet([{literal(str(table.path))}])"  # noqa: S608 -- all is quoted
    condition = f' WHERE "Timestamp" >= {literal(table.after.isoformat())}' if table.after else ""
    return f"CREATE VIEW {quoted(name)} AS {rows}{condition}"


def _file_column(field: pa.Field[Any], kind: str) -> str:
    name = quoted(field.name)
    return f"{_file_value(name, field.type, kind)} AS {name}"


def _file_value(name: str, stored: pa.DataType, kind: str) -> str:
    if kind == "datetime" and pa.types.is_timestamp(stored) and stored.tz:
        return f"make_timestamp(epoch_us({name}))"
    if kind == "timespan" and pa.types.is_duration(stored):
        return f"CAST(epoch_us({name}) * {TICKS_PER_US} AS BIGINT)"
    if kind == "dynamic":
        return f"to_json({name})" if pa.types.is_nested(stored) else f"TRY_CAST({name} AS JSON)"
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


def _on_clickhouse(asked: kql.Translation, tables: Mapping[str, Given], limits: Limits, _: Stop | None) -> pa.Table:
    from chdb import session  # noqa: PLC0415 -- a development dependency, 500 MB

    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="driftline-hunt-"))
        connection = stack.enter_context(session.Session())  # type: ignore[no-untyped-call] # chdb is not typed
        for number, (name, table) in enumerate(tables.items()):
            path = f"{directory}/{number}.parquet"
            pyarrow.parquet.write_table(_rows(table), path)
            quoted_name = "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
            connection.query(f"CREATE OR REPLACE VIEW {quoted_name} AS SELECT * FROM file('{path}', 'Parquet')")  # noqa: S608
        settings = CLICKHOUSE_SETTINGS | {
            "max_threads": limits.threads,
            "max_execution_time": limits.seconds,
            "max_memory_usage": limits.memory << 20,
        }
        connection.query(f"SET max_query_size = {LONGEST_SQL}")  # read before the query's own settings
        suffix = "SETTINGS " + ", ".join(f"{name} = {value}" for name, value in settings.items())
        try:
            answer = connection.query(f"{asked.sql} {suffix}", "ArrowStream")
        except RuntimeError as error:
            raise errors.StoreError(f"the hunt failed: {error}") from error
        with pa.ipc.open_stream(answer.bytes()) as stream:
            return stream.read_all()


def _rows(table: Given) -> pa.Table:
    return table.rows if table.rows is not None else _plain(open_table(table.path or ""), table.types)


ENGINES = {"duckdb": _on_duckdb, "clickhouse": _on_clickhouse}
