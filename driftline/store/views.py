"""Tables as a hunt sees them: views over what is stored, with Kusto's types.

A view holds the rows a caller may see and no more. It reads only the files whose time matters,
and tells DuckDB the times in the form in which the files keep them, so that whole row groups are
skipped: a condition on a converted column could not be compared with a row group's statistics.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from driftline.kql.rewrite import Bounds
from driftline.store._schema import quoted

__all__ = ["CLUSTER_COLUMNS", "OF_ALERTS", "Part", "Stored", "Wanted", "kept_parts", "literal", "view"]

ALWAYS = Bounds()
TIME = "Timestamp"
CLUSTER = "ClusterName"
CLUSTER_COLUMNS: Mapping[str, str] = {"AlertEvidence": "CloudResource"}
"""The column that names a row's cluster, where it is not ``ClusterName``."""
EVIDENCE = "AlertEvidence"
OF_ALERTS = frozenset({"AlertInfo"})
"""Tables whose rows name no cluster, but an alert whose evidence does."""
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# ``AT TIME ZONE`` asks the calendar for each row, which takes five times as long.
CONVERTED = {"datetime": "make_timestamp(epoch_us({0}))", "dynamic": "CAST({0} AS JSON)"}


@dataclass(frozen=True, slots=True)
class Part:
    """A Parquet file whose rows all lie within ``bounds``."""

    path: Path
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a table's rows lie: the relation of the newest (as SQL), and files."""

    hot: str
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a table are wanted: of a stretch of time, and of some clusters (None: all)."""

    bounds: Bounds = ALWAYS
    clusters: Sequence[str] | None = None


def view(name: str, columns: Mapping[str, str], tables: Mapping[str, Stored], wanted: Wanted) -> str:
    """Give the statement that makes a table's view; ``columns`` are Kusto types by name."""
    shown = ", ".join(f"{_shown(column, kind)} AS {quoted(column)}" for column, kind in columns.items())
    rows, granted = _rows(tables[name], wanted.bounds), _granted(name, tables, wanted.clusters)
    return f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS SELECT {shown} FROM {rows}{granted}"  # noqa: S608 -- all is quoted


def kept_parts(stored: Stored, bounds: Bounds) -> tuple[list[Part], list[Part]]:
    """Give the files with rows of a stretch of time: those wholly inside of it, and the others."""
    met = [part for part in stored.parts if _meet(part.bounds, bounds)]
    inside = [part for part in met if part.bounds.within(bounds) == part.bounds]
    return inside, [part for part in met if part not in inside]


def literal(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"


def _shown(column: str, kind: str) -> str:
    return CONVERTED.get(kind, "{0}").format(quoted(column))


def _rows(stored: Stored, bounds: Bounds) -> str:
    return f"({' UNION ALL BY NAME '.join(_sources(stored, bounds))})"


def _sources(stored: Stored, bounds: Bounds) -> list[str]:
    inside, edge = kept_parts(stored, bounds)
    condition = _during(bounds)
    made = [f"SELECT * FROM {stored.hot}{condition}"]  # noqa: S608 -- as above
    made += [f"SELECT * FROM {_files(inside)}"] * bool(inside)  # noqa: S608
    made += [f"SELECT * FROM {_files(edge)}{condition}"] * bool(edge)  # noqa: S608
    return made


def _files(parts: Sequence[Part]) -> str:
    listed = ", ".join(literal(str(part.path)) for part in parts)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def _during(bounds: Bounds) -> str:
    ends = [(">=", bounds.first), ("<=", bounds.last)]
    conditions = [f"{quoted(TIME)} {operator} {_moment(end)}" for operator, end in ends if end is not None]
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _moment(microseconds: int) -> str:
    return f"make_timestamptz({microseconds})"


def _granted(name: str, tables: Mapping[str, Stored], clusters: Sequence[str] | None) -> str:
    if clusters is None:
        return ""
    if not clusters:
        return " WHERE false"
    if name in OF_ALERTS:
        evidence = f"{_rows(tables[EVIDENCE], ALWAYS)}{_granted(EVIDENCE, tables, clusters)}"
        return f' WHERE "AlertId" IN (SELECT "AlertId" FROM {evidence})'  # noqa: S608 -- all is quoted
    listed = ", ".join(literal(each) for each in clusters)
    return f" WHERE {quoted(CLUSTER_COLUMNS.get(name, CLUSTER))} IN ({listed})"


def _meet(one: Bounds, other: Bounds) -> bool:
    common = one.within(other)
    return common.first is None or common.last is None or common.first <= common.last
