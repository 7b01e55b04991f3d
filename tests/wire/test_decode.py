"""Untrusted bytes: every malformed batch is refused with a reason and within the limits."""

from __future__ import annotations

import datetime
import resource
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import wire
from driftline.errors import InvalidBatch
from driftline.wire.schema import TABLE_KEY
from tests.wire import making

EVENTS = "CloudProcessEvents"
SCHEMA = wire.SCHEMAS[EVENTS]
GOOD = wire.encode({EVENTS: wire.table(EVENTS, [making.event(str(number)) for number in range(20)])})
PLAIN = zstandard.ZstdDecompressor().decompress(GOOD, max_output_size=1 << 20)


def packed(data: bytes) -> bytes:
    return zstandard.compress(data)


def streamed(rows: pa.Table, *, name: str = EVENTS, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    schema = rows.schema.with_metadata({TABLE_KEY: name.encode()})
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(rows.replace_schema_metadata(schema.metadata))
    return sink.getvalue().to_pybytes()


def times(count: int = 1) -> pa.Array[Any]:
    return pa.array([making.NOW] * count, pa.timestamp("us", tz="UTC"))


def refused(data: bytes, words: str, limits: wire.Limits | None = None) -> None:
    with pytest.raises(InvalidBatch, match=words):
        wire.decode(packed(data), limits or wire.Limits())


def test_missing_columns_are_null_and_unknown_ones_dropped() -> None:
    rows = pa.table({"Later": ["x"], "Timestamp": times()})
    found = wire.decode(packed(streamed(rows)), wire.Limits())[EVENTS]

    assert found.schema == SCHEMA
    assert found.to_pylist() == [dict.fromkeys(SCHEMA.names) | {"Timestamp": making.NOW}]


def test_decompression_bomb_is_refused() -> None:
    bomb = zstandard.compress(bytes(1 << 28))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidBatch, match="inflates to more than 1048576 bytes"):
        wire.decode(bomb, wire.Limits(decoded=1 << 20))

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_body_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(InvalidBatch, match="expected at most 10"):
        wire.decode(b"x" * 11, wire.Limits(compressed=10))


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_buffers_are_refused(codec: str) -> None:
    rows = pa.table({"Timestamp": times(), "FileName": ["x" * 1000]})
    refused(streamed(rows, compression=codec), "buffers that are not compressed")


def test_dictionaries_are_refused() -> None:
    for name in ("FileName", "Other"):
        rows = pa.table({"Timestamp": times(), name: pa.array(["x"]).dictionary_encode()})
        refused(streamed(rows), "no dictionary")


def test_nested_columns_are_refused() -> None:
    refused(streamed(pa.table({"Timestamp": times(), "Other": [[["x"]]]})), "flat type")


@pytest.mark.parametrize(
    ("name", "words"), [("", "no table ''"), ("sqlite_master", "expected one of CloudProcessEvents")]
)
def test_unknown_table_is_refused(name: str, words: str) -> None:
    refused(streamed(pa.table({"Timestamp": times()}), name=name), words)


def test_repeated_column_is_refused() -> None:
    rows = pa.Table.from_arrays([times(), times()], names=["Timestamp", "Timestamp"])
    refused(streamed(rows), "each once")


def test_repeated_table_is_refused() -> None:
    refused(PLAIN + PLAIN, "comes twice")


def test_too_many_rows_are_refused() -> None:
    refused(PLAIN, "at most 19 rows", wire.Limits(rows=19))


# Arrow's writer gives each column its own buffer, so point the other columns at the first one's.
def test_shared_buffers_count_once_per_column() -> None:
    text = "x" * (1 << 20)
    rows = pa.table({"Timestamp": times(), "FileName": [text], "FolderPath": [""], "ContainerName": [""]})
    body = bytearray(streamed(rows))
    place = struct.Struct("<qq")
    offset = next(at for at in range(0, len(body), 8) if place.unpack_from(body, at)[1] == len(text))
    shared = body[offset - 16 : offset + 16]  # offsets and data of FileName
    for column in (1, 2):
        body[offset - 16 + 48 * column : offset + 16 + 48 * column] = shared
    found = wire.decode(packed(bytes(body)), wire.Limits())

    assert found[EVENTS].slice(0, 1).to_pylist()[0]["ContainerName"] == text
    refused(bytes(body), "more rows, or larger ones", wire.Limits(decoded=2 << 20))


def test_time_outside_the_limits_is_refused() -> None:
    far = pa.array([2**63 - 1], pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    refused(streamed(pa.table({"Timestamp": far})), "expected times from 2000-01-01")
    latest = wire.Limits(latest=making.NOW - datetime.timedelta(seconds=1))
    refused(PLAIN, "Timestamp: expected times", latest)


def test_a_row_without_time_is_refused() -> None:
    refused(streamed(pa.table({"Timestamp": pa.nulls(1, pa.timestamp("us", tz="UTC"))})), "a time in every row")
    refused(streamed(pa.table({"FileName": ["x"]})), "a time in every row")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "1", '{"a":' * 2000 + "1" + "}" * 2000, '{"a":' + "[" * 40 + "]" * 40 + "}"]
)
def test_dynamic_value_must_be_a_shallow_object(text: str) -> None:
    refused(streamed(pa.table({"Timestamp": times(), "PodLabels": [text]})), "PodLabels: expected a JSON object")


def test_wide_json_is_not_deep() -> None:
    value = msgspec.json.encode({str(number): [] for number in range(100)}).decode()
    rows = pa.table({"Timestamp": times(), "PodLabels": [value]})

    assert wire.decode(packed(streamed(rows)), wire.Limits())[EVENTS]["PodLabels"].to_pylist() == [value]


def test_offsets_outside_their_buffer_are_refused() -> None:
    honest = streamed(pa.table({"Timestamp": times(), "FileName": ["abc"]}))
    head, _, tail = honest.rpartition(struct.pack("<ii", 0, 3))
    bent = head + struct.pack("<ii", 0, 1 << 30) + tail
    refused(bent, "buffers do not fit together")


def test_text_that_is_not_utf8_is_refused() -> None:
    offsets = pa.py_buffer((0).to_bytes(4, "little") + (2).to_bytes(4, "little"))
    broken = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(b"\xff\xfe"))
    refused(streamed(pa.table({"Timestamp": times(), "FileName": broken})), "buffers do not fit together")


def accepted_or_refused(body: bytes) -> None:
    try:
        tables = wire.decode(body, wire.Limits(decoded=1 << 20, rows=1000))
    except InvalidBatch:
        return
    for rows in tables.values():
        rows.validate(full=True)
        rows.to_pylist()


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    accepted_or_refused(data)
    accepted_or_refused(packed(data))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_batch_with_bytes_changed_is_decoded_or_refused(changes: list[tuple[int, int]]) -> None:
    data = bytearray(PLAIN)
    for position, value in changes:
        data[position] = value
    accepted_or_refused(packed(bytes(data)))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(PLAIN)), st.integers(0, len(PLAIN)), st.sampled_from([bytes.__add__, lambda a, b: b]))
def test_a_batch_cut_or_spliced_is_decoded_or_refused(
    head: int, tail: int, join: Callable[[bytes, bytes], bytes]
) -> None:
    accepted_or_refused(packed(join(PLAIN[:head], PLAIN[tail:])))


def test_a_batch_cut_at_any_byte_is_refused() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(InvalidBatch, match="expected a zstd frame, whole"):
            wire.decode(GOOD[:length], wire.Limits())


def test_bytes_after_the_frame_are_refused() -> None:
    with pytest.raises(InvalidBatch, match="expected a zstd frame, whole"):
        wire.decode(GOOD + b"more", wire.Limits())
