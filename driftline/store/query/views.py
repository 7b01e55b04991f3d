"""Tables as a hunt sees them: views over the stored rows, with Kusto's types.

A view holds the rows that the caller may see and no others. It reads only files whose time span
overlaps the hunt's.

Conditions on ``Timestamp`` are written for the stored column, a timestamp with time zone. DuckDB
then compares them with the minimum and maximum of each row group and skips row groups
(https://duckdb.org/docs/stable/data/parquet/overview). The view's own column is converted to a timestamp
without time zone, and a condition on a converted column cannot be compared with those statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from driftline.kql.rewrite import Bounds, Reach
from driftline.store.query.file_pruning import DataFile, prune_files
from driftline.store.schema import quoted

__all__ = [
    "ALERT",
    "ALERT_TABLES",
    "CLUSTER",
    "CLUSTER_COLUMNS",
    "EVIDENCE",
    "TIME",
    "RowScope",
    "TableSource",
    "hot_rows_query",
    "literal",
    "view_statement",
]

ALL = Reach()
TIME = "Timestamp"
CLUSTER = "ClusterName"
CLUSTER_COLUMNS: Mapping[str, str] = {"AlertEvidence": "CloudResource"}
"""Column that names a row's cluster, by table, where it is not ``ClusterName``."""
EVIDENCE, ALERT = "AlertEvidence", "AlertId"
ALERT_TABLES = frozenset({"AlertInfo"})
"""Tables whose rows name no cluster but an alert, whose evidence names one."""
# ``AT TIME ZONE`` looks up the calendar for each row, which takes five times as long as make_timestamp.
CONVERSIONS = {"datetime": "make_timestamp(epoch_us({0}))", "dynamic": "CAST({0} AS JSON)"}


@dataclass(frozen=True, slots=True)
class TableSource:
    """The places where a table's rows are stored."""

    hot: str
    """Relation of the newest rows, as SQL."""
    files: Sequence[DataFile] = ()
    """Parquet files of the earlier rows."""


@dataclass(frozen=True, slots=True)
class RowScope:
    """The rows of a table that a hunt gets."""

    reach: Reach = ALL
    """Bounds in time and terms beyond which the hunt needs no rows."""
    clusters: Sequence[str] | None = None
    """Clusters whose rows the caller may see; None for all, empty for none."""


def view_statement(name: str, columns: Mapping[str, str], tables: Mapping[str, TableSource], scope: RowScope) -> str:
    """Return the statement that makes a table's view.

    ``columns`` are the Kusto types of the view's columns by name. ``tables`` must hold the table
    itself and, for tables of alerts, that of their evidence.
    """
    selected = ", ".join(f"{_value(column, kind)} AS {quoted(column)}" for column, kind in columns.items())
    rows, condition = _rows(tables[name], scope.reach), _cluster_condition(name, tables, scope.clusters)
    return f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS SELECT {selected} FROM {rows}{condition}"  # noqa: S608 -- all is quoted


def hot_rows_query(source: TableSource, columns: Mapping[str, str], bounds: Bounds) -> str:
    """Return the query for a table's newest rows within ``bounds``, with the types in which they are stored."""
    selected = ", ".join(map(quoted, columns))
    return f"SELECT {selected} FROM {source.hot}{_where(_time_conditions(bounds))}"  # noqa: S608 -- all is quoted


def literal(text: str) -> str:
    """Return a text as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def _value(column: str, kind: str) -> str:
    return CONVERSIONS.get(kind, "{0}").format(quoted(column))


def _rows(source: TableSource, reach: Reach) -> str:
    return f"({' UNION ALL BY NAME '.join(_selects(source, reach))})"


# One read_parquet for all files with the same conditions, for each read_parquet is an operator of its own in
# DuckDB's plan. Files that lie within the time bounds need no condition. Files of which only some row groups have
# the hunt's terms have different row numbers, so each is read on its own.
def _selects(source: TableSource, reach: Reach) -> Iterator[str]:
    within_time = _time_conditions(reach.bounds)
    yield f"SELECT * FROM {source.hot}{_where(within_time)}"  # noqa: S608 -- all is quoted
    by_condition: dict[tuple[str, ...], list[DataFile]] = {}
    for file in prune_files(source.files, reach):
        conditions = [] if file.bounds.within(reach.bounds) == file.bounds else within_time
        if file.rows is None:
            by_condition.setdefault(tuple(conditions), []).append(file)
        else:
            among = _where([*conditions, _row_number_condition(file.rows)])
            yield f"SELECT * FROM {_read_parquet([file], numbered=True)}{among}"  # noqa: S608 -- all is quoted
    yield from (f"SELECT * FROM {_read_parquet(files)}{_where(key)}" for key, files in by_condition.items())  # noqa: S608


# By name, because a column that was added later is missing from older files. Partition values of the path
# (``date=…``) are no columns of the table.
def _read_parquet(files: Sequence[DataFile], *, numbered: bool = False) -> str:
    paths = ", ".join(literal(str(file.path)) for file in files)
    options = f"union_by_name = true, hive_partitioning = false, file_row_number = {str(numbered).lower()}"
    return f"read_parquet([{paths}], {options})"


# DuckDB skips the row groups without a row in these ranges.
def _row_number_condition(rows: Sequence[tuple[int, int]]) -> str:
    return f"({' OR '.join(f'file_row_number BETWEEN {first} AND {last}' for first, last in rows)})"


def _time_conditions(bounds: Bounds) -> list[str]:
    ends = [(">=", bounds.first), ("<=", bounds.last)]
    return [f"{quoted(TIME)} {operator} {_timestamp(end)}" for operator, end in ends if end is not None]


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _timestamp(microseconds: int) -> str:
    return f"make_timestamptz({microseconds})"


# An alert's rows in AlertInfo name no cluster: the caller sees an alert if some of its evidence is of a granted
# cluster. Evidence of any time counts, because the hunt's bounds are of AlertInfo's rows, not of their evidence.
def _cluster_condition(name: str, tables: Mapping[str, TableSource], clusters: Sequence[str] | None) -> str:
    if clusters is None:
        return ""
    if not clusters:
        return " WHERE false"
    if name in ALERT_TABLES:
        evidence = f"{_rows(tables[EVIDENCE], ALL)}{_cluster_condition(EVIDENCE, tables, clusters)}"
        return f" WHERE {quoted(ALERT)} IN (SELECT {quoted(ALERT)} FROM {evidence})"  # noqa: S608 -- all is quoted
    granted = ", ".join(literal(each) for each in clusters)
    return f" WHERE {quoted(CLUSTER_COLUMNS.get(name, CLUSTER))} IN ({granted})"
