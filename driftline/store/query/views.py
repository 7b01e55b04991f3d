"""Tables as a hunt sees them: views over what is stored, with Kusto's types.

A view holds the rows a caller may see and no more. It reads only the files whose time matters,
and tells DuckDB the times in the form in which the files keep them, so that whole row groups are
skipped: a condition on a converted column could not be compared with a row group's statistics.
"""

from __future__ import annotations

import datetime
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
"""The column that names a row's cluster, where it is not ``ClusterName``."""
EVIDENCE, ALERT = "AlertEvidence", "AlertId"
ALERT_TABLES = frozenset({"AlertInfo"})
"""Tables whose rows name no cluster, but an alert whose evidence does."""
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# ``AT TIME ZONE`` asks the calendar for each row, which takes five times as long.
CONVERTED = {"datetime": "make_timestamp(epoch_us({0}))", "dynamic": "CAST({0} AS JSON)"}


@dataclass(frozen=True, slots=True)
class TableSource:
    """Where a table's rows lie: the relation of the newest (as SQL), and files."""

    hot: str
    files: Sequence[DataFile] = ()


@dataclass(frozen=True, slots=True)
class RowScope:
    """Which rows of a table are wanted: those the hunt may need, of some clusters (None: all)."""

    reach: Reach = ALL
    clusters: Sequence[str] | None = None


def view_statement(name: str, columns: Mapping[str, str], tables: Mapping[str, TableSource], wanted: RowScope) -> str:
    """Give the statement that makes a table's view; ``columns`` are Kusto types by name."""
    shown = ", ".join(f"{_shown(column, kind)} AS {quoted(column)}" for column, kind in columns.items())
    rows, granted = _rows(tables[name], wanted.reach), _granted(name, tables, wanted.clusters)
    return f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS SELECT {shown} FROM {rows}{granted}"  # noqa: S608 -- all is quoted


def hot_rows_query(stored: TableSource, columns: Mapping[str, str], bounds: Bounds) -> str:
    """Give the query for the newest rows of a table, as they are stored."""
    shown = ", ".join(map(quoted, columns))
    return f"SELECT {shown} FROM {stored.hot}{_where(_during(bounds))}"  # noqa: S608 -- all is quoted


def literal(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"


def _shown(column: str, kind: str) -> str:
    return CONVERTED.get(kind, "{0}").format(quoted(column))


def _rows(stored: TableSource, reach: Reach) -> str:
    return f"({' UNION ALL BY NAME '.join(_sources(stored, reach))})"


# Files of which all is wanted are read together, and so are those of which a stretch of time is.
def _sources(stored: TableSource, reach: Reach) -> Iterator[str]:
    during = _during(reach.bounds)
    yield f"SELECT * FROM {stored.hot}{_where(during)}"  # noqa: S608 -- all is quoted
    together: dict[tuple[str, ...], list[DataFile]] = {}
    for file in prune_files(stored.files, reach):
        condition = [] if file.bounds.within(reach.bounds) == file.bounds else during
        if file.rows is None:
            together.setdefault(tuple(condition), []).append(file)
        else:
            yield f"SELECT * FROM {_files([file], numbered=True)}{_where([*condition, _among(file.rows)])}"  # noqa: S608
    yield from (f"SELECT * FROM {_files(files)}{_where(condition)}" for condition, files in together.items())  # noqa: S608


def _files(files: Sequence[DataFile], *, numbered: bool = False) -> str:
    listed = ", ".join(literal(str(file.path)) for file in files)
    options = f"union_by_name = true, hive_partitioning = false, file_row_number = {str(numbered).lower()}"
    return f"read_parquet([{listed}], {options})"


# DuckDB leaves out the row groups without a row of such a number.
def _among(rows: Sequence[tuple[int, int]]) -> str:
    return f"({' OR '.join(f'file_row_number BETWEEN {first} AND {last}' for first, last in rows)})"


def _during(bounds: Bounds) -> list[str]:
    ends = [(">=", bounds.first), ("<=", bounds.last)]
    return [f"{quoted(TIME)} {operator} {_moment(end)}" for operator, end in ends if end is not None]


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _moment(microseconds: int) -> str:
    return f"make_timestamptz({microseconds})"


def _granted(name: str, tables: Mapping[str, TableSource], clusters: Sequence[str] | None) -> str:
    if clusters is None:
        return ""
    if not clusters:
        return " WHERE false"
    if name in ALERT_TABLES:
        evidence = f"{_rows(tables[EVIDENCE], ALL)}{_granted(EVIDENCE, tables, clusters)}"
        return f" WHERE {quoted(ALERT)} IN (SELECT {quoted(ALERT)} FROM {evidence})"  # noqa: S608 -- all is quoted
    listed = ", ".join(literal(each) for each in clusters)
    return f" WHERE {quoted(CLUSTER_COLUMNS.get(name, CLUSTER))} IN ({listed})"
