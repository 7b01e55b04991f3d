"""Encoder from records to Arrow tables, and from tables to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa
import zstandard

from driftline.events import Record
from driftline.wire.schema import DYNAMIC, SCHEMAS

__all__ = ["encode", "table"]

_LEVEL = 3  # zstd's default level


def table(name: str, records: Sequence[Record]) -> pa.Table:
    """Return the Arrow table of ``records`` of the hunting table ``name``.

    Dynamic values become JSON text. Raises ``KeyError`` for an unknown table.
    """
    columns: dict[str, list[Any]] = {
        field: [getattr(record, field) for record in records] for field in SCHEMAS[name].names
    }
    for field in DYNAMIC[name]:
        columns[field] = [msgspec.json.encode(value).decode() for value in columns[field]]
    return pa.table(columns, schema=SCHEMAS[name])


def encode(tables: Mapping[str, pa.Table]) -> bytes:
    """Encode tables, in the order of the mapping, as a batch.

    The schema of each table must equal that in ``SCHEMAS``. Returns one zstd frame.
    """
    sink = pa.BufferOutputStream()
    # The streams stand one after the other in one frame: the decoder reads to the end of each.
    for name, rows in tables.items():
        with pa.ipc.new_stream(sink, SCHEMAS[name]) as writer:
            for batch in rows.combine_chunks().to_batches():
                writer.write_batch(batch)
    return zstandard.ZstdCompressor(level=_LEVEL).compress(memoryview(sink.getvalue()))
