"""Results of hunts: Arrow tables with Kusto's types, the same from every engine."""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa

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
"""Arrow type of each Kusto type in a result (https://learn.microsoft.com/kusto/query/scalar-data-types/)."""
TICKS_PER_US = 10
"""Kusto counts time in ticks of 100 nanoseconds, a result in microseconds."""
TRUNCATED = b"truncated"
"""Key of a result's schema metadata that is there if rows after ``take`` were left out."""


def to_kusto_types(rows: pa.Table, columns: tuple[tuple[str, str], ...]) -> pa.Table:
    """Return an engine's rows with the names and Arrow types of a result.

    ``columns`` are name and Kusto type in the order of the engine's columns, whose own names are ignored:
    Kusto's names may differ in case alone, an engine's may not. The metadata of each field names
    the Kusto type under ``kusto``.
    """
    arrays = [_typed_column(rows.column(number), kind) for number, (_, kind) in enumerate(columns)]
    fields = [pa.field(name, TYPES[kind], metadata={"kusto": kind}) for name, kind in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def row_tuples(rows: pa.Table) -> list[tuple[Any, ...]]:
    """Return rows as a list of tuples of Python values."""
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


# Microseconds since 1970 of 0001-01-01 00:00:00 and 9999-12-31 23:59:59.999999, the range of Kusto's datetime
# (https://learn.microsoft.com/kusto/query/scalar-data-types/datetime) and of Python's. Other moments become null.
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999


def _moments(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    import pyarrow.compute as pc  # noqa: PLC0415 -- a tenth of a second, which hunts without such values save

    plain: pa.ChunkedArray[Any] = column if column.type.tz else column.cast(pa.timestamp("us"), safe=False)
    counted = plain.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
    first, last = _whole_numbers(_FIRST, _LAST)
    known = pc.and_(pc.greater_equal(counted, first), pc.less_equal(counted, last))
    found: pa.ChunkedArray[Any] = pc.if_else(known, counted, pa.nulls(1, pa.int64())[0])
    return found.cast(TYPES["datetime"])


# pa.scalar and pa.array import pandas, where it is installed, to ask whether a Python value is one of its own.
def _whole_numbers(*values: int) -> list[pa.Scalar[Any]]:
    buffer = pa.py_buffer(struct.pack(f"<{len(values)}q", *values))
    return list(pa.Array.from_buffers(pa.int64(), len(values), [None, buffer]))


# Timespans arrive as ticks. ClickHouse returns some texts as binary.
def _typed_column(column: pa.ChunkedArray[Any], kind: str) -> pa.ChunkedArray[Any]:
    if kind == "timespan":
        return _microseconds(column).cast(pa.duration("us"))
    if kind == "datetime":
        return _moments(column)
    if pa.types.is_binary(column.type):
        column = column.cast(pa.string())
    if kind == "decimal":
        column = _without_zeros(column)
    return column.cast(TYPES[kind])


def _microseconds(ticks: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    import pyarrow.compute as pc  # noqa: PLC0415 -- as in _moments

    return pc.divide(ticks.cast(pa.int64()), *_whole_numbers(TICKS_PER_US))


# Decimals have leading zeros, so that they sort as texts in the engines.
def _without_zeros(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    import pyarrow.compute as pc  # noqa: PLC0415 -- as in _moments

    return pc.replace_substring_regex(column.cast(pa.string()), "^0+([0-9])", r"\1")
