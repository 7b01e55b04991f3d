"""What of a store a hunt needs that runs in another process.

Files are read where they lie. The newest rows only the store's own process can read: what the hunt
may need of them goes along, in the columns it uses and those by which rows are granted.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from driftline.events import TABLES
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Plan, Table
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

__all__ = ["COLUMNS", "snapshot_rows"]

COLUMNS = {name: {column.name: column.type for column in table.columns} for name, table in TABLES.items()}
ALWAYS = frozenset({TIME, CLUSTER, ALERT, *CLUSTER_COLUMNS.values()})


def snapshot_rows(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, TableSource], plan: Plan, wanted: Mapping[str, RowScope]
) -> Environment:
    """Take what a plan reads; raises ``duckdb.Error`` if that cannot be read."""
    columns = _columns(plan)
    places = {name: TableSource(quoted(_copy(name)), tables[name].files) for name in columns}
    bounds = {name: each.reach.bounds for name, each in wanted.items()}
    rows = {
        _copy(name): connection.sql(hot_rows_query(tables[name], shown, bounds.get(name, Bounds()))).to_arrow_table()
        for name, shown in columns.items()
    }
    views = [view_statement(name, columns[name], places, each) for name, each in wanted.items()]
    return Environment(rows, views, [str(file.path) for place in places.values() for file in place.files])


def _copy(name: str) -> str:
    return f"newest {name}"


def _columns(plan: Plan) -> dict[str, dict[str, str]]:
    used: dict[str, set[str]] = {}
    for node in walk.nodes(plan):
        if isinstance(node, Table):
            used.setdefault(node.name, set()).update(column.name for column in node.columns)
    if ALERT_TABLES & used.keys():
        used.setdefault(EVIDENCE, set())
    return {
        name: {column: kind for column, kind in COLUMNS[name].items() if column in names | ALWAYS}
        for name, names in used.items()
    }
