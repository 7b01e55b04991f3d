"""ClickHouse's engine for hunts, the second opinion on DuckDB's answers.

driftline translates KQL into ClickHouse's SQL too. ``chdb`` (https://clickhouse.com/docs/chdb) is that
engine as a library of some 500 MB; only the tests need it.
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet
from chdb import session

from driftline import errors, kql
from driftline.store.query.environment import Environment, open_environment
from driftline.store.query.hunt_tables import DUCKDB, Engine, InputTable, Tables, hunt_on, rows_of
from driftline.store.query.limits import Limits, Stop, run

__all__ = ["CLICKHOUSE", "EngineName", "hunt", "hunt_without_tables"]

EngineName = Literal["duckdb", "clickhouse"]
LONGEST_SQL = 16 << 20  # hunts may list a hundred thousand hashes
SETTINGS = {
    "join_use_nulls": 1,
    "session_timezone": "'UTC'",
    "enable_unaligned_array_join": 1,
    "output_format_json_escape_forward_slashes": 0,
    "enable_materialized_cte": 1,
    "max_recursive_cte_evaluation_depth": 100_000,  # a scan needs one step for each row
    "output_format_arrow_string_as_string": 1,
}


def hunt_without_tables(text: str, engine: EngineName) -> pa.Table:
    """Run a hunt that brings its own rows, in an engine that all such hunts of this process share."""
    return hunt_on(SHARED[engine], text, {})


def hunt(text: str, tables: Tables, engine: EngineName = "duckdb", **options: Any) -> pa.Table:
    """Run a hunt on the engine of that name; ``options`` are those of ``hunt_tables.hunt``."""
    return hunt_on(ENGINES[engine], text, tables, **options)


# Opening an engine takes longer than most queries of the tests, so all hunts of a process share one.
@cache
def _session() -> Any:  # chdb is not typed
    opened = session.Session()  # type: ignore[no-untyped-call]
    atexit.register(opened.close)
    return opened


# A fixture brings its rows along, so one locked DuckDB without tables serves all of them.
@cache
def _empty_duckdb() -> duckdb.DuckDBPyConnection:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(open_environment(Environment(rows={}), Limits()))


def _run_without_tables(
    translation: kql.Translation, tables: Mapping[str, InputTable], limits: Limits, stop: Stop | None
) -> pa.Table:
    assert not tables, "a query that reads tables needs an environment of its own"
    return run(_empty_duckdb(), translation.sql, limits, stop)


def _run_on_clickhouse(
    translation: kql.Translation, tables: Mapping[str, InputTable], limits: Limits, _: Stop | None
) -> pa.Table:
    connection = _session()
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="driftline-hunt-"))
        for number, (name, table) in enumerate(tables.items()):
            path = f"{directory}/{number}.parquet"
            pyarrow.parquet.write_table(rows_of(table), path)
            quoted_name = "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
            connection.query(f"CREATE OR REPLACE VIEW {quoted_name} AS SELECT * FROM file('{path}', 'Parquet')")
            stack.callback(connection.query, f"DROP VIEW {quoted_name}")
        settings = SETTINGS | {
            "max_threads": limits.threads,
            "max_execution_time": limits.seconds,
            "max_memory_usage": limits.memory << 20,
        }
        connection.query(f"SET max_query_size = {LONGEST_SQL}")  # read before the query's own settings
        suffix = "SETTINGS " + ", ".join(f"{name} = {value}" for name, value in settings.items())
        try:
            answer = connection.query(f"{translation.sql} {suffix}", "ArrowStream")
        except RuntimeError as error:
            raise errors.StoreError(f"the hunt failed: {error}") from error
        with pa.ipc.open_stream(answer.bytes()) as stream:
            return stream.read_all()


CLICKHOUSE = Engine("clickhouse", _run_on_clickhouse)
ENGINES: Mapping[EngineName, Engine] = {"duckdb": DUCKDB, "clickhouse": CLICKHOUSE}
SHARED: Mapping[EngineName, Engine] = {"duckdb": Engine("duckdb", _run_without_tables), "clickhouse": CLICKHOUSE}
