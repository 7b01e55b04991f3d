"""Formats of hunt results in HTTP responses: JSON, JSON lines and Arrow, encoded a batch at a time; pure.

Encoding by batch keeps the memory of a response small, whatever the size of its result.
"""

from __future__ import annotations

import datetime
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from driftline.kql.text import constants

__all__ = ["ARROW", "FORMATS", "JSON", "JSON_LINES", "Answer", "Encoder", "chosen"]

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
JSON_LINES = "application/jsonl"
_TICKS_PER_US = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a hunt. The schema's fields have their Kusto type in the metadata key ``kusto``."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    """The rows; the iterator can be consumed once."""
    truncated: bool
    """Whether the query has more rows than the limit of the request."""
    seconds: float
    """Duration of the query in seconds."""


Encoder = Callable[[Answer], Iterator[bytes]]


def chosen(accept: str) -> str:
    """Return the media type for an Accept header: the first supported one in it, else JSON.

    Quality values (RFC 9110, section 12.4.2) are ignored.
    """
    named = (each.partition(";")[0].strip().lower() for each in accept.split(","))
    return next((each for each in named if each in FORMATS), JSON)


def json_document(answer: Answer) -> Iterator[bytes]:
    """Yield one JSON object; ``rows`` is its last member, so that it can be written batch by batch."""
    columns = [{"name": name, "type": kind} for name, kind in _kusto_types(answer.schema).items()]
    head = json.dumps({"columns": columns, "truncated": answer.truncated, "seconds": round(answer.seconds, 6)})
    yield head[:-1].encode() + b', "rows": ['
    comma = b""
    for batch in answer.batches:
        if batch.num_rows:
            yield comma + b",".join(_json_rows(batch))
            comma = b","
    yield b"]}"


def json_lines(answer: Answer) -> Iterator[bytes]:
    """Yield one line with a JSON object for each row."""
    for batch in answer.batches:
        yield b"".join(row + b"\n" for row in _json_rows(batch))


def arrow_stream(answer: Answer) -> Iterator[bytes]:
    """Yield the parts of an Arrow IPC stream."""
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), answer.schema) as writer:
        for batch in answer.batches:
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


FORMATS: Mapping[str, Encoder] = {JSON: json_document, JSON_LINES: json_lines, ARROW: arrow_stream}
"""Encoders by media type."""


def _kusto_types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: (field.metadata or {})[b"kusto"].decode() for field in schema}


# Datetimes are ISO 8601 in UTC, timespans have Kusto's format, dynamic values are embedded. NaN and the infinities,
# for which JSON has no number (RFC 8259, section 6), are text, as in Kusto's own API.
def _json_rows(batch: pa.RecordBatch) -> Iterator[bytes]:
    types = _kusto_types(batch.schema)
    columns = [
        [None if value is None else _WRITERS.get(kind, _same)(value) for value in batch.column(number).to_pylist()]
        for number, kind in enumerate(types.values())
    ]
    for values in zip(*columns, strict=True):
        yield json.dumps(dict(zip(types, values, strict=True))).encode()


def _same(value: Any) -> Any:
    return value


def _timespan(value: datetime.timedelta) -> str:
    return constants.timespan_text(int(value / datetime.timedelta(microseconds=1)) * _TICKS_PER_US)


def _real(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _dynamic(value: str) -> Any:
    try:
        return json.loads(value, parse_constant=str)
    except (ValueError, RecursionError):  # a value that is not JSON stays text
        return value


_WRITERS: Mapping[str, Callable[[Any], Any]] = {
    "datetime": datetime.datetime.isoformat,
    "timespan": _timespan,
    "real": _real,
    "dynamic": _dynamic,
}


class _Sink(io.RawIOBase):
    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
