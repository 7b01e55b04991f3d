"""Ownership of the rows in a batch: a sensor may write rows of its own cluster and node only.

Without this check a compromised node could forge or hide activity of other nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from driftline.errors import ForeignRows

__all__ = ["check_owner"]

# Columns that hold the cluster and the node. AlertEvidence has Defender's schema, with other names.
_COLUMNS: Mapping[str, tuple[str, str]] = {"AlertEvidence": ("CloudResource", "DeviceName")}
_USUAL_COLUMNS = ("ClusterName", "NodeName")
_BY_ALERT = "AlertInfo"


def check_owner(tables: Mapping[str, pa.Table], *, cluster: str, node: str) -> None:
    """Raise ``ForeignRows`` unless every row belongs to this cluster and node.

    ``AlertInfo`` has no column for either, so each of its rows must come with an ``AlertEvidence`` row
    of the same ``AlertId`` in the same batch. ``tables`` are decoded tables by name.
    """
    for name, rows in tables.items():
        if name == _BY_ALERT:
            _check_alerts(rows, tables.get("AlertEvidence"))
            continue
        for column, wanted in zip(_COLUMNS.get(name, _USUAL_COLUMNS), (cluster, node), strict=True):
            _check_column(f"{name}.{column}", rows.column(column), wanted)


def _check_column(where: str, column: pa.ChunkedArray[Any], wanted: str) -> None:
    others = [value for value in column.unique().to_pylist() if value != wanted]
    if others:
        # The value is the sender's: bound what the error repeats into logs.
        got = str(others[0])[:100]
        raise ForeignRows(f"{where}: expected {wanted!r}, which the sensor is enrolled for, got {got!r}")


def _check_alerts(alerts: pa.Table, evidence: pa.Table | None) -> None:
    known = evidence.column("AlertId") if evidence is not None else pa.chunked_array([[]], pa.string())
    without = pc.invert(pc.is_in(alerts.column("AlertId"), value_set=known.combine_chunks()))
    if pc.any(without).as_py():
        raise ForeignRows("AlertInfo.AlertId: expected only alerts whose evidence is in the same batch")
