"""Answers as callers get them: Arrow tables with Kusto's types, whichever engine gave them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute

__all__ = ["TICKS_PER_US", "TRUNCATED", "TYPES", "tuples", "typed"]

TYPES = {
    "string": pa.string(),
    "guid": pa.string(),
    "decimal": pa.string(),
    "dynamic": pa.string(),
    "bool": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "real": pa.float64(),
    "datetime": pa.timestamp("us", "UTC"),
    "timespan": pa.duration("us"),
}
TICKS_PER_US = 10
TRUNCATED = b"truncated"
"""Key of an answer's metadata, there if rows were left out because no more were wanted."""


def typed(rows: pa.Table, columns: tuple[tuple[str, str], ...]) -> pa.Table:
    """Give an answer its types, and its names, which may differ in case alone.

    The fields' metadata names the Kusto type under ``kusto``.
    """
    arrays = [_typed_column(rows.column(number), kind) for number, (_, kind) in enumerate(columns)]
    fields = [pa.field(name, TYPES[kind], metadata={"kusto": kind}) for name, kind in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def tuples(rows: pa.Table) -> list[tuple[Any, ...]]:
    """Give rows as tuples."""
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def _typed_column(column: pa.ChunkedArray[Any], kind: str) -> pa.ChunkedArray[Any]:
    if kind == "timespan":
        return pa.compute.divide(column.cast(pa.int64()), TICKS_PER_US).cast(pa.duration("us"))
    if kind == "datetime" and not column.type.equals(TYPES["datetime"]):
        return (
            column.cast(pa.timestamp("us"), safe=False).cast(TYPES["datetime"])
            if column.type.tz is None
            else column.cast(TYPES["datetime"], safe=False)
        )
    if pa.types.is_binary(column.type):
        column = column.cast(pa.string())
    return column.cast(TYPES[kind])
