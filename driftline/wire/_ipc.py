"""Reader of Arrow IPC streams that does not use Arrow's own reader (decision note 030).

Arrow's reader ends the whole process on some metadata: in pyarrow 26.0.1 one changed byte of a
schema message causes an uncaught ``std::bad_alloc``. It also decompresses buffers to whatever size
they claim. This module therefore reads the metadata itself (format/Message.fbs, Schema.fbs), so
that a wrong offset is an exception. Only buffers whose bounds were checked become Arrow arrays,
which are then validated in full.

Stream format: Apache Arrow, "IPC Streaming Format" and "Encapsulated message format".
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

_CONTINUATION = 0xFFFFFFFF  # begins every message since format version 0.15
_PREFIX = struct.Struct("<Ii")  # continuation marker, bytes of metadata
_METADATA_MAX = 1 << 16  # bytes; a schema of 256 columns takes a fraction of it
_ALIGNMENT = 8  # bytes; metadata and buffers are padded to it
_VERSION = 4  # MetadataVersion.V5
_SCHEMA, _RECORD_BATCH = 1, 3  # of the union MessageHeader
_TEXTS_MAX = 64  # key-value pairs in the metadata of a schema


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a stream."""

    name: str
    """Name of the column."""
    type: pa.DataType
    """Arrow type of the column."""


@dataclass(frozen=True, slots=True)
class Header:
    """Schema of a stream."""

    fields: tuple[Field, ...]
    """Columns in the order of the stream."""
    metadata: dict[str, str]
    """Key-value metadata of the schema."""


@dataclass(slots=True)
class Source:
    """Bytes with a read position."""

    data: bytes
    position: int = 0

    def is_at_end(self) -> bool:
        return self.position >= len(self.data)

    def take(self, length: int) -> int:
        """Advance by ``length`` bytes and return the position before.

        Raises ``InvalidBatch`` if fewer bytes remain or ``length`` is negative.
        """
        start = self.position
        if length < 0 or start + length > len(self.data):
            raise InvalidBatch(f"expected an Arrow IPC stream: it ends within a message, at byte {len(self.data)}")
        self.position += length
        return start


def read_header(source: Source, *, columns_max: int) -> Header:
    """Read the schema message of a stream.

    Raises ``InvalidBatch`` if the message is malformed, has more than ``columns_max`` columns or a
    column of an unsupported type.
    """
    metadata = _next_metadata(source)
    header, body_length = _parse_header(metadata, columns_max)
    source.take(body_length)
    return header


# Sensors of one version send identical schema bytes with each batch, so their parse is cached.
@functools.lru_cache(maxsize=32)
def _parse_header(metadata: bytes, columns_max: int) -> tuple[Header, int]:
    message = _message(metadata) if metadata else None
    if message is None or message.scalar(1, "<B") != _SCHEMA:
        raise InvalidBatch("expected an Arrow IPC stream: its first message is not a schema")
    schema = message.table(2)
    if schema.scalar(0, "<h"):
        raise InvalidBatch("expected little-endian buffers")
    pairs = {pair.text(0): pair.text(1) for pair in schema.tables(2, _TEXTS_MAX)}
    fields = tuple(_read_field(field) for field in schema.tables(1, columns_max))
    return Header(fields, pairs), message.scalar(3, "<q")


def read_batches(source: Source, fields: Sequence[Field], *, rows_max: int) -> Iterator[list[pa.Array[Any]]]:
    """Yield the record batches of a stream to its end, each as the arrays of its columns.

    ``fields`` are those of the stream's header. ``rows_max`` bounds the rows of each batch. Raises
    ``InvalidBatch`` for malformed messages, ``pyarrow.ArrowInvalid`` for buffers that do not form
    valid arrays.
    """
    while metadata := _next_metadata(source):
        message = _message(metadata)
        if message.scalar(1, "<B") != _RECORD_BATCH:
            raise InvalidBatch("expected record batches, and no dictionaries")
        length = message.scalar(3, "<q")
        start = source.take(length)
        yield _read_batch(message.table(2), fields, pa.py_buffer(source.data).slice(start, length), rows_max)


# Returns b"" at the end of the stream: a metadata size of 0 ends it.
def _next_metadata(source: Source) -> bytes:
    marker, size = _PREFIX.unpack_from(source.data, source.take(_PREFIX.size))
    if marker != _CONTINUATION or not 0 <= size <= _METADATA_MAX or size % _ALIGNMENT:
        raise InvalidBatch("expected an Arrow IPC stream: a message has no valid prefix")
    start = source.take(size)
    return source.data[start : start + size]


def _message(metadata: bytes) -> View:
    message = View.root(metadata)
    if message.scalar(0, "<h") != _VERSION:
        raise InvalidBatch("expected Arrow's metadata version 5")
    return message


def _read_field(field: View) -> Field:
    # Schema.fbs, table Field: 0 name, 2 type of the union, 3 type, 4 dictionary, 5 children.
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


# TimeUnit.MICROSECOND is 2; driftline's times are UTC.
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
    # Message.fbs, table RecordBatch: 0 length, 1 nodes, 2 buffers, 3 compression.
    rows = batch.scalar(0, "<q")
    if not 0 <= rows <= rows_max:
        raise InvalidBatch(f"expected at most {rows_max} rows in a batch, got {rows}")
    if batch.has(3):
        raise InvalidBatch("expected buffers that are not compressed")
    nodes = batch.pairs(1, len(fields))
    if [length for length, _ in nodes] != [rows] * len(fields):
        raise InvalidBatch("expected as many columns as in the schema, each with as many rows as the batch")
    buffers = iter(batch.pairs(2, 3 * len(fields)))
    return [
        _read_array(field, rows, [next(buffers, None) for _ in range(_buffer_count(field))], body) for field in fields
    ]


# Columnar format, "Buffer Listing for Each Layout": validity and data; strings have offsets as well.
def _buffer_count(field: Field) -> int:
    return 3 if field.type == pa.string() else 2


def _read_array(field: Field, rows: int, places: Sequence[tuple[int, int] | None], body: pa.Buffer) -> pa.Array[Any]:
    buffers = [_buffer(body, place) for place in places]
    # A writer may leave the validity buffer empty if no value is null.
    validity = buffers[0] if buffers[0] and buffers[0].size else None
    array = pa.Array.from_buffers(field.type, rows, [validity, *buffers[1:]])
    # Checks string offsets and UTF-8, which ``from_buffers`` takes on trust.
    array.validate(full=True)
    return array


def _buffer(body: pa.Buffer, place: tuple[int, int] | None) -> pa.Buffer:
    if place is None:
        raise InvalidBatch("expected more buffers in a record batch")
    offset, length = place
    if offset < 0 or length < 0 or offset % _ALIGNMENT or offset + length > body.size:
        raise InvalidBatch("expected buffers that lie within their message")
    return body.slice(offset, length)
