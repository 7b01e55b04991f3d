"""Decoder from the bytes of a batch to Arrow tables, for bytes of a hostile sensor.

Threats, and the check against each:

- a decompression bomb: decompression stops at a bound, whatever size the frame claims;
- metadata that crashes Arrow's reader: that reader is not used (``_ipc``);
- columns that share one buffer, so that the rows are larger than the bytes: the buffers of each
  column are counted separately;
- offsets outside their buffer, text that is not UTF-8: ``validate(full=True)``;
- dictionaries, nested types, unknown columns: only the flat types of the tables are accepted;
- malformed or deeply nested JSON in a dynamic column: parsed, and its depth limited;
- times in the far future, whose day would never be dropped by retention: ``Limits.latest``.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from driftline.clock import EPOCH
from driftline.errors import InvalidBatch
from driftline.wire import _ipc
from driftline.wire.schema import DYNAMIC, SCHEMAS, TABLE_KEY

__all__ = ["Limits", "decode"]

_TIME = pa.timestamp("us", tz="UTC")
_WINDOW_BYTES = 8 << 20  # zstd window; a compressor of level 3 uses at most 2 MiB
_JSON_DEPTH = 32  # levels of nesting; later consumers parse recursively
_object = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one batch."""

    compressed: int = 8 << 20
    """Bytes of the body as sent."""
    decoded: int = 64 << 20
    """Bytes after decompression, and bytes of all columns together."""
    rows: int = 200_000
    """Rows of all tables together."""
    columns: int = 256
    """Columns of one table."""
    earliest: datetime.datetime = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    """Earliest accepted time, inclusive, UTC."""
    latest: datetime.datetime = datetime.datetime(2200, 1, 1, tzinfo=datetime.UTC)
    """Latest accepted time, inclusive, UTC."""


def decode(body: bytes, limits: Limits) -> dict[str, pa.Table]:
    """Decode a batch into tables by name, in the order of the body.

    Every table has exactly the columns of ``SCHEMAS``, in that order: columns that the sender lacks
    are null, unknown columns of a newer sender are dropped. Raises ``InvalidBatch`` with the table and
    column if the batch is malformed, exceeds ``limits`` or contains invalid values.
    """
    source = _ipc.Source(_inflate(body, limits))
    budget = _Budget(rows=limits.rows, size=limits.decoded)
    tables: dict[str, pa.Table] = {}
    while not source.is_at_end():
        name, rows = _read_table(source, budget, limits)
        if name in tables:
            raise InvalidBatch(f"the table {name} comes twice; expected it once")
        tables[name] = rows
    return tables


def _inflate(body: bytes, limits: Limits) -> bytes:
    if len(body) > limits.compressed:
        raise InvalidBatch(f"the batch has {len(body)} bytes; expected at most {limits.compressed}")
    # A stream reader would take a frame that was cut short for a shorter one, and with it the loss of its rows.
    try:
        size = zstandard.get_frame_parameters(body).content_size
        if zstandard.CONTENTSIZE_UNKNOWN != size > limits.decoded:
            raise InvalidBatch(f"the batch inflates to more than {limits.decoded} bytes")
        inflater = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
        return inflater.decompress(body, max_output_size=limits.decoded, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise InvalidBatch(f"expected a zstd frame, whole and of at most {limits.decoded} bytes: {error}") from error


@dataclass(slots=True)
class _Budget:
    # Rows and bytes that the rest of the batch may have.

    rows: int
    size: int

    def take(self, arrays: list[pa.Array[Any]]) -> None:
        self.rows -= len(arrays[0])
        self.size -= sum(array.nbytes for array in arrays)
        if self.rows < 0 or self.size < 0:
            raise InvalidBatch("the batch has more rows, or larger ones, than allowed")


def _read_table(source: _ipc.Source, budget: _Budget, limits: Limits) -> tuple[str, pa.Table]:
    header = _ipc.read_header(source, columns_max=limits.columns)
    name = _check_header(header)
    schema = pa.schema([(field.name, field.type) for field in header.fields])
    batches = []
    try:
        for arrays in _ipc.read_batches(source, header.fields, rows_max=budget.rows):
            budget.take(arrays)
            batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    except pa.ArrowException as error:
        raise InvalidBatch(f"{name}: a column's buffers do not fit together: {error}") from error
    rows = _complete(pa.Table.from_batches(batches, schema), name)
    _check_values(name, rows, limits)
    return name, rows


def _check_header(header: _ipc.Header) -> str:
    name = header.metadata.get(TABLE_KEY.decode(), "")
    if name not in SCHEMAS:
        raise InvalidBatch(f"no table {name[:100]!r}; expected one of {', '.join(SCHEMAS)}")
    if not header.fields or len({field.name for field in header.fields}) < len(header.fields):
        raise InvalidBatch(f"{name}: expected columns, each once")
    # Unknown columns pass here and are dropped later, so that a newer sensor can send to this server.
    known = {field.name: field.type for field in SCHEMAS[name]}
    for field in header.fields:
        if field.type != known.get(field.name, field.type):
            raise InvalidBatch(f"{name}.{field.name}: expected the type {known[field.name]}, got {field.type}")
    return name


def _complete(rows: pa.Table, name: str) -> pa.Table:
    schema = SCHEMAS[name]
    present = set(rows.column_names)
    columns = [
        rows.column(field.name) if field.name in present else pa.nulls(rows.num_rows, field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


def _check_values(name: str, rows: pa.Table, limits: Limits) -> None:
    if rows.column("Timestamp").null_count:
        raise InvalidBatch(f"{name}.Timestamp: expected a time in every row")
    for field in rows.schema:
        if field.type == _TIME:
            _check_times(f"{name}.{field.name}", rows.column(field.name), limits)
    for column in DYNAMIC[name]:
        _check_json(f"{name}.{column}", rows.column(column))


# Compared as integers (microseconds since 1970): Arrow's times exceed the range of Python's datetime.
def _check_times(where: str, column: pa.ChunkedArray[Any], limits: Limits) -> None:
    bounds = pc.min_max(column.cast(pa.int64()))
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    if low is None:
        return
    if low < _microseconds(limits.earliest) or high > _microseconds(limits.latest):
        raise InvalidBatch(f"{where}: expected times from {limits.earliest.isoformat()} to {limits.latest.isoformat()}")


def _microseconds(time: datetime.datetime) -> int:
    return (time - EPOCH) // datetime.timedelta(microseconds=1)


# Labels repeat from row to row, so each distinct text is parsed once.
def _check_json(where: str, column: pa.ChunkedArray[Any]) -> None:
    for text in column.unique().to_pylist():
        if text is not None and not _is_object(text):
            raise InvalidBatch(f"{where}: expected a JSON object of a depth of at most {_JSON_DEPTH}")


def _is_object(text: str) -> bool:
    if text == "{}":
        return True
    try:
        value = _object.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False
    # The number of brackets bounds the depth; only longer texts need the walk.
    return text.count("{") + text.count("[") <= _JSON_DEPTH or _depth(value) <= _JSON_DEPTH


# Iterative: a recursive walk would overflow the stack on the very values it is to refuse.
def _depth(value: Any) -> int:
    deepest = 0
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        children = _CHILDREN.get(type(item))
        if children:
            deepest = max(deepest, depth)
            waiting += [(child, depth + 1) for child in children(item)]
    return deepest


_CHILDREN: dict[type, Callable[[Any], Any]] = {dict: dict.values, list: iter}
