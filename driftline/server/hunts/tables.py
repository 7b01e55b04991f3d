"""The hunting tables as one caller may see them: the rows of their clusters."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from driftline.errors import InvalidInput
from driftline.events import TABLES
from driftline.server.storage import Storage
from driftline.store import hunting
from driftline.store.query import MAX_ROWS, Filter, Query

__all__ = ["CLUSTER_COLUMNS", "cluster_filter", "seen_tables"]

Clusters = tuple[str, ...] | None

CLUSTER_COLUMNS: Mapping[str, str | None] = {
    "CloudProcessEvents": "ClusterName",
    "SensorHealth": "ClusterName",
    "AlertEvidence": "CloudResource",
    "AlertInfo": None,
}
"""The column that names a row's cluster; ``None``: the row's alert has evidence that does.

A table that is not here is seen by nobody to whom some clusters only are granted."""


def seen_tables(
    text: str, storage: Storage, *, clusters: Clusters, after: datetime.datetime | None
) -> dict[str, pa.Table]:
    """Read those tables the query could mean, all others being known by their columns.

    ``clusters`` are those whose rows are read, ``None`` for all; ``after`` leaves out older rows.
    Raises ``InvalidInput`` for a table with more rows than a hunt can take, and ``StoreError``.
    """
    everything = any(word in text for word in ("*", "search", "find"))
    found = {name: _empty(name) for name in TABLES}
    for name in TABLES:
        if everything or name in text:
            found[name] = _read(storage, name, clusters, after)
    return found


def _read(storage: Storage, name: str, clusters: Clusters, after: datetime.datetime | None) -> pa.Table:
    where = [Filter("Timestamp", ">=", after.isoformat())] if after else []
    column = CLUSTER_COLUMNS.get(name, "")
    if clusters is not None and column == "":
        return _empty(name)
    if column:
        where += cluster_filter(name, clusters)
    rows = storage.select(Query(table=name, where=where, limit=MAX_ROWS))
    if rows.num_rows >= MAX_ROWS:
        raise InvalidInput(f"{name} has more than {MAX_ROWS} rows; give a timespan that holds fewer")
    if column is None and clusters is not None:
        rows = _of_alerts(rows, _read(storage, "AlertEvidence", clusters, after))
    return rows.cast(_schema(name))


def cluster_filter(name: str, clusters: Clusters) -> list[Filter]:
    """Give the filter that leaves a table's rows of some clusters; ``None`` for all."""
    column = CLUSTER_COLUMNS[name]
    return [Filter(column, "in", list(clusters))] if column and clusters is not None else []


def _of_alerts(infos: pa.Table, evidence: pa.Table) -> pa.Table:
    ids: Any = evidence.column("AlertId").combine_chunks()
    return infos.filter(pa.compute.is_in(infos.column("AlertId"), value_set=ids))


def _empty(name: str) -> pa.Table:
    return _schema(name).empty_table()


def _schema(name: str) -> pa.Schema:
    columns = TABLES[name].columns
    return pa.schema([pa.field(each.name, hunting.TYPES[each.type], metadata={"kusto": each.type}) for each in columns])
