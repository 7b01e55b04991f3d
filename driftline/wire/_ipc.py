"""Arrow IPC streams, read without Arrow's own reader.

That reader ends the whole process on some metadata: in pyarrow 26.0.1 one changed byte of a
schema message gives ``std::bad_alloc`` where nothing catches it. It also inflates compressed
buffers to whatever size they claim. So the metadata (format/Message.fbs, Schema.fbs) is read
here, where a wrong offset is an exception, and only buffers whose bounds were checked become
Arrow arrays, which then are validated in full.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from driftline.errors import InvalidBatch
from driftline.wire._flatbuffer import View

__all__ = ["Field", "Header", "Source", "read_batches", "read_header"]

_MARK = 0xFFFFFFFF
_PREFIX = struct.Struct("<Ii")
_METADATA_MAX = 1 << 16
_ALIGNMENT = 8
_VERSION = 4  # MetadataVersion.V5
_SCHEMA, _RECORD_BATCH = 1, 3  # of the union MessageHeader
_TEXTS_MAX = 64


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a stream."""

    name: str
    type: pa.DataType


@dataclass(frozen=True, slots=True)
class Header:
    """What a stream's schema says: its columns and its metadata."""

    fields: tuple[Field, ...]
    metadata: dict[str, str]


@dataclass(slots=True)
class Source:
    """Bytes, and how far they have been read."""

    data: bytes
    position: int = 0

    def is_at_end(self) -> bool:
        return self.position >= len(self.data)

    def take(self, length: int) -> int:
        """Give where the next ``length`` bytes begin, and go behind them."""
        start = self.position
        if length < 0 or start + length > len(self.data):
            raise InvalidBatch(f"expected an Arrow IPC stream: it ends within a message, at byte {len(self.data)}")
        self.position += length
        return start


def read_header(source: Source, *, columns_max: int) -> Header:
    """Read a stream's schema."""
    metadata = _next_metadata(source)
    header, body_length = _parse_header(metadata, columns_max)
    source.take(body_length)
    return header


# Sensors of one version send the same bytes with each batch.
@functools.lru_cache(maxsize=32)
def _parse_header(metadata: bytes, columns_max: int) -> tuple[Header, int]:
    message = _message(metadata) if metadata else None
    if message is None or message.scalar(1, "<B") != _SCHEMA:
        raise InvalidBatch("expected an Arrow IPC stream: its first message is no schema")
    schema = message.table(2)
    if schema.scalar(0, "<h"):
        raise InvalidBatch("expected little-endian buffers")
    pairs = {pair.text(0): pair.text(1) for pair in schema.tables(2, _TEXTS_MAX)}
    fields = tuple(_read_field(field) for field in schema.tables(1, columns_max))
    return Header(fields, pairs), message.scalar(3, "<q")


def read_batches(source: Source, fields: Sequence[Field], *, rows_max: int) -> Iterator[list[pa.Array[Any]]]:
    """Read a stream's record batches to its end, each as the arrays of its columns."""
    while metadata := _next_metadata(source):
        message = _message(metadata)
        if message.scalar(1, "<B") != _RECORD_BATCH:
            raise InvalidBatch("expected record batches, and no dictionaries")
        length = message.scalar(3, "<q")
        start = source.take(length)
        yield _read_batch(message.table(2), fields, pa.py_buffer(source.data).slice(start, length), rows_max)


# Empty at the end of the stream.
def _next_metadata(source: Source) -> bytes:
    mark, size = _PREFIX.unpack_from(source.data, source.take(_PREFIX.size))
    if mark != _MARK or not 0 <= size <= _METADATA_MAX or size % _ALIGNMENT:
        raise InvalidBatch("expected an Arrow IPC stream: a message has no proper head")
    start = source.take(size)
    return source.data[start : start + size]


def _message(metadata: bytes) -> View:
    message = View.root(metadata)
    if message.scalar(0, "<h") != _VERSION:
        raise InvalidBatch("expected Arrow's metadata version 5")
    return message


def _read_field(field: View) -> Field:
    name = field.text(0)
    make = _TYPES.get(field.scalar(2, "<B"))
    kind = make(field.table(3)) if make else None
    if kind is None or field.has(4) or field.count(5):
        raise InvalidBatch(f"{name[:100]!r}: expected a column of a flat type of the hunting tables, and no dictionary")
    return Field(name, kind)


def _integer(kind: View) -> pa.DataType | None:
    return pa.int64() if (kind.scalar(0, "<i"), kind.scalar(1, "<B")) == (64, 1) else None


def _real(kind: View) -> pa.DataType | None:
    return pa.float64() if kind.scalar(0, "<h") == 2 else None  # Precision.DOUBLE


def _time(kind: View) -> pa.DataType | None:
    return pa.timestamp("us", "UTC") if (kind.scalar(0, "<h"), kind.text(1)) == (2, "UTC") else None


_TYPES: dict[int, Callable[[View], pa.DataType | None]] = {  # of the union Type
    2: _integer,
    3: _real,
    5: lambda _: pa.string(),
    6: lambda _: pa.bool_(),
    10: _time,
}


def _read_batch(batch: View, fields: Sequence[Field], body: pa.Buffer, rows_max: int) -> list[pa.Array[Any]]:
    rows = batch.scalar(0, "<q")
    if not 0 <= rows <= rows_max:
        raise InvalidBatch(f"expected at most {rows_max} rows in a batch, got {rows}")
    if batch.has(3):
        raise InvalidBatch("expected buffers that are not compressed")
    nodes = batch.pairs(1, len(fields))
    if [length for length, _ in nodes] != [rows] * len(fields):
        raise InvalidBatch("expected columns as many and as long as the schema and the batch say")
    buffers = iter(batch.pairs(2, 3 * len(fields)))
    return [_read_array(field, rows, [next(buffers, None) for _ in range(_buffers(field))], body) for field in fields]


def _buffers(field: Field) -> int:
    return 3 if field.type == pa.string() else 2


def _read_array(field: Field, rows: int, places: Sequence[tuple[int, int] | None], body: pa.Buffer) -> pa.Array[Any]:
    buffers = [_buffer(body, place) for place in places]
    validity = buffers[0] if buffers[0] and buffers[0].size else None
    array = pa.Array.from_buffers(field.type, rows, [validity, *buffers[1:]])
    array.validate(full=True)
    return array


def _buffer(body: pa.Buffer, place: tuple[int, int] | None) -> pa.Buffer:
    if place is None:
        raise InvalidBatch("expected more buffers in a record batch")
    offset, length = place
    if offset < 0 or length < 0 or offset % _ALIGNMENT or offset + length > body.size:
        raise InvalidBatch("expected buffers that lie within their message")
    return body.slice(offset, length)
