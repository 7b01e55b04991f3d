"""From records to Arrow tables, and from those to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import zstandard

from driftline.events import Record
from driftline.wire.schema import DYNAMIC, SCHEMAS

__all__ = ["encode", "table"]

_LEVEL = 3


def table(name: str, records: Sequence[Record]) -> pa.Table:
    """Make the Arrow table of records of the hunting table ``name``."""
    columns: dict[str, list[Any]] = {
        field: [getattr(record, field) for record in records] for field in SCHEMAS[name].names
    }
    for field in DYNAMIC[name]:
        columns[field] = [msgspec.json.encode(value).decode() for value in columns[field]]
    return pa.table(columns, schema=SCHEMAS[name])


def encode(tables: Mapping[str, pa.Table]) -> bytes:
    """Encode tables, in the mapping's order, as a batch; schemas must be those of ``SCHEMAS``."""
    sink = pa.BufferOutputStream()
    for name, rows in tables.items():
        with pa.ipc.new_stream(sink, SCHEMAS[name]) as writer:
            for batch in rows.combine_chunks().to_batches():
                writer.write_batch(batch)
    return zstandard.ZstdCompressor(level=_LEVEL).compress(memoryview(sink.getvalue()))
