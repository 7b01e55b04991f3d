"""Answers as callers get them: Arrow tables with Kusto's types, whichever engine gave them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["TICKS_PER_US", "TRUNCATED", "TYPES", "row_tuples", "to_kusto_types"]

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


def to_kusto_types(rows: pa.Table, columns: tuple[tuple[str, str], ...]) -> pa.Table:
    """Give an answer its types, and its names, which may differ in case alone.

    The fields' metadata names the Kusto type under ``kusto``.
    """
    arrays = [_typed_column(rows.column(number), kind) for number, (_, kind) in enumerate(columns)]
    fields = [pa.field(name, TYPES[kind], metadata={"kusto": kind}) for name, kind in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def row_tuples(rows: pa.Table) -> list[tuple[Any, ...]]:
    """Give rows as tuples."""
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


# From the year 1 to 9999, as in Kusto; Python knows no others either.
_FIRST, _LAST = pa.scalar(-62_135_596_800_000_000, pa.int64()), pa.scalar(253_402_300_799_999_999, pa.int64())


def _moments(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    plain: pa.ChunkedArray[Any] = column if column.type.tz else column.cast(pa.timestamp("us"), safe=False)
    counted = plain.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
    known = pc.and_(pc.greater_equal(counted, _FIRST), pc.less_equal(counted, _LAST))
    found: pa.ChunkedArray[Any] = pc.if_else(known, counted, pa.scalar(None, pa.int64()))
    return found.cast(TYPES["datetime"])


def _typed_column(column: pa.ChunkedArray[Any], kind: str) -> pa.ChunkedArray[Any]:
    if kind == "timespan":
        return pc.divide(column.cast(pa.int64()), TICKS_PER_US).cast(pa.duration("us"))
    if kind == "datetime":
        return _moments(column)
    if pa.types.is_binary(column.type):
        column = column.cast(pa.string())
    if kind == "decimal":  # of 32 digits, so that they sort as texts
        column = pc.replace_substring_regex(column.cast(pa.string()), "^0+([0-9])", r"\1")
    return column.cast(TYPES[kind])
