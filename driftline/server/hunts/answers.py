"""Arrow tables as JSON values and as an Arrow stream; pure."""

from __future__ import annotations

import datetime
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from driftline.kql import constants

__all__ = ["arrow_stream", "json_rows", "kusto_types"]

_BATCH_ROWS = 8192
_TICKS_PER_US = 10


def kusto_types(rows: pa.Table) -> dict[str, str]:
    """Give the Kusto type of each column."""
    return {field.name: (field.metadata or {})[b"kusto"].decode() for field in rows.schema}


def json_rows(rows: pa.Table) -> list[dict[str, Any]]:
    """Give rows as objects: times as ISO 8601, timespans as Kusto writes them, dynamics as what they hold.

    What JSON has no number for (NaN, infinities) is text, as Kusto's own API has it.
    """
    writers = [(name, _WRITERS.get(kind, _same)) for name, kind in kusto_types(rows).items()]
    columns = [
        [None if value is None else write(value) for value in rows.column(number).to_pylist()]
        for number, (_, write) in enumerate(writers)
    ]
    names = [name for name, _ in writers]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _same(value: Any) -> Any:
    return value


def _timespan(value: datetime.timedelta) -> str:
    return constants.timespan_text(int(value / datetime.timedelta(microseconds=1)) * _TICKS_PER_US)


def _real(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _dynamic(value: str) -> Any:
    try:
        return json.loads(value, parse_constant=str)
    except (ValueError, RecursionError):  # text from a row that is no JSON stays text
        return value


_WRITERS: Mapping[str, Callable[[Any], Any]] = {
    "datetime": datetime.datetime.isoformat,
    "timespan": _timespan,
    "real": _real,
    "dynamic": _dynamic,
}


def arrow_stream(rows: pa.Table) -> Iterator[bytes]:
    """Give rows as an Arrow IPC stream, a batch at a time; fields name their Kusto type as ``kusto``."""
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, "w"), rows.schema) as writer:
        for batch in rows.to_batches(_BATCH_ROWS):
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


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
