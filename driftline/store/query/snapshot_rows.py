"""The rows of a store that a hunt in the sandbox process needs.

The sandbox reads Parquet files itself. The newest rows are in the database file, which only the
store's own process can read: those that the hunt may need are copied, with the columns that it uses
and the columns by which rows are granted to the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import duckdb

from driftline.hunts.schema import SCHEMA
from driftline.kql.rewrite import Bounds
from driftline.store.query.environment import Environment
from driftline.store.query.views import (
    ALERT,
    ALERT_TABLES,
    CLUSTER,
    CLUSTER_COLUMNS,
    EVIDENCE,
    TIME,
    RowScope,
    TableSource,
    hot_rows_query,
    view_statement,
)
from driftline.store.schema import quoted

__all__ = ["snapshot_rows"]

# The views' own conditions read these columns: time, cluster, and the alert that evidence belongs to.
ALWAYS_COPIED = frozenset({TIME, CLUSTER, ALERT, *CLUSTER_COLUMNS.values()})


def snapshot_rows(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, TableSource],
    stored: Mapping[str, Collection[str]],
    scopes: Mapping[str, RowScope],
) -> Environment:
    """Copy the newest rows that a hunt reads into an environment for the sandbox process.

    ``stored`` are the columns that the hunt reads, by table.
    The environment's views are named as the tables, and hold the rows of each table's scope. Raises
    ``duckdb.Error`` if the rows cannot be read.
    """
    columns = _columns(stored)
    sources = {name: TableSource(quoted(_copy_name(name)), tables[name].files) for name in columns}
    bounds = {name: scope.reach.bounds for name, scope in scopes.items()}
    rows = {
        _copy_name(name): connection.sql(
            hot_rows_query(tables[name], kinds, bounds.get(name, Bounds()))
        ).to_arrow_table()
        for name, kinds in columns.items()
    }
    views = [view_statement(name, columns[name], sources, scope) for name, scope in scopes.items()]
    return Environment(rows, views, [str(file.path) for source in sources.values() for file in source.files])


def _copy_name(name: str) -> str:
    return f"newest {name}"


# Tables of alerts are granted by their evidence, so that table is copied too although the plan does not read it.
def _columns(stored: Mapping[str, Collection[str]]) -> dict[str, dict[str, str]]:
    used = {name: set(columns) for name, columns in stored.items()}
    if ALERT_TABLES & used.keys():
        used.setdefault(EVIDENCE, set())
    return {
        name: {column: kind for column, kind in SCHEMA[name].items() if column in names | ALWAYS_COPIED}
        for name, names in used.items()
    }
