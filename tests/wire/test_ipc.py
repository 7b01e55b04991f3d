"""Arrow IPC streams: metadata that would crash Arrow's reader raises an exception."""

from __future__ import annotations

import pyarrow as pa
import pytest

from driftline.errors import InvalidBatch
from driftline.wire import _ipc

ROWS = pa.table({"a": [1, None, 3], "b": ["x", "", None], "c": [True, False, None], "d": [0.5, None, 1.0]})


def stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=2)
    return sink.getvalue().to_pybytes()


def test_streams_of_arrow_are_read() -> None:
    source = _ipc.Source(stream(ROWS.replace_schema_metadata({"k": "v"})))
    header = _ipc.read_header(source, columns_max=10)
    batches = [
        pa.record_batch(arrays, names=ROWS.column_names)
        for arrays in _ipc.read_batches(source, header.fields, rows_max=3)
    ]

    assert header.metadata == {"k": "v"}
    assert pa.Table.from_batches(batches).equals(ROWS)
    assert source.is_at_end()


# Each of these ends the process in pyarrow 26.0.1: an uncaught std::bad_alloc.
def test_every_single_changed_byte_of_the_metadata_is_read_or_refused() -> None:
    honest = stream(ROWS)
    for position in range(len(honest)):
        for value in (0, 1, 0x80, 0xFF):
            source = _ipc.Source(honest[:position] + bytes([value]) + honest[position + 1 :])
            try:
                header = _ipc.read_header(source, columns_max=10)
                list(_ipc.read_batches(source, header.fields, rows_max=3))
            except (InvalidBatch, pa.ArrowException):
                continue


def test_more_columns_than_allowed_are_refused() -> None:
    with pytest.raises(InvalidBatch, match="at most 3 items, got 4"):
        _ipc.read_header(_ipc.Source(stream(ROWS)), columns_max=3)
