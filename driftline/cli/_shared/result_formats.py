"""Output formats of hunt results: table, JSON lines, CSV and Parquet."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable
from typing import Any, Literal

import pyarrow as pa

from driftline.kql.text import constants
from driftline.printable import escape_unprintable

__all__ = ["Output", "print_result"]

Output = Literal["table", "json", "csv", "parquet"]


def print_result(rows: pa.Table, output: Output) -> None:
    """Print the result of a hunt to standard output: a table, one JSON object a line, CSV, or a Parquet file.

    The schema's fields carry the Kusto type of each column in the metadata key ``kusto``. Times are ISO 8601
    in UTC, timespans have Kusto's format ``d.hh:mm:ss.fffffff``, dynamic values are JSON.
    """
    _FORMATS[output](rows)


# Parquet keeps the Arrow types; the other formats write values as text.
def _parquet(rows: pa.Table) -> None:
    import pyarrow.parquet  # noqa: PLC0415 -- only this format needs it

    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(rows, sink)
    sys.stdout.buffer.write(sink.getvalue())


def _csv(rows: pa.Table) -> None:
    import pyarrow.csv  # noqa: PLC0415 -- only this format needs it

    sink = pa.BufferOutputStream()
    texts = pa.table([pa.array(column, pa.string()) for column in _texts(rows)], names=rows.column_names)
    pyarrow.csv.write_csv(texts, sink)
    sys.stdout.buffer.write(sink.getvalue())


# One object a line, not an array: a reader can process a row before the last one is written.
def _json(rows: pa.Table) -> None:
    kinds = dict(zip(rows.column_names, _kinds(rows), strict=True))
    for row in rows.to_pylist():
        print(json.dumps({name: _plain(value, kinds[name]) for name, value in row.items()}, ensure_ascii=False))


def _table(rows: pa.Table) -> None:
    from rich.table import Table  # noqa: PLC0415 -- only this format needs it

    from driftline.cli._shared.tables import print_table  # noqa: PLC0415

    shown = Table(box=None, header_style="dim")
    for name in rows.column_names:
        shown.add_column(escape_unprintable(name), overflow="fold")
    for row in zip(*_texts(rows), strict=True):
        shown.add_row(*map(escape_unprintable, row))
    print_table(shown)


_FORMATS: dict[Output, Callable[[pa.Table], None]] = {
    "table": _table, "json": _json, "csv": _csv, "parquet": _parquet,
}  # fmt: skip


def _kinds(rows: pa.Table) -> list[str]:
    return [(field.metadata or {})[b"kusto"].decode() for field in rows.schema]


# Dynamic values arrive as JSON text, timespans as durations; Kusto counts them in ticks of 100 ns.
def _plain(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "datetime":
        return value.isoformat()
    if kind == "timespan":
        return constants.timespan_text(value // datetime.timedelta(microseconds=1) * 10)
    return json.loads(value) if kind == "dynamic" else value


def _cell(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return constants.dumps(value)
    return "" if value is None else str(value)


# The values of each column as texts. Columns are taken by position: Arrow looks names up without a way to tell equal
# ones apart. Lists, because pa.array imports pandas, where it is installed, to ask whether a value is one of its own.
def _texts(rows: pa.Table) -> list[list[str]]:
    return [[_cell(_plain(value, kind)) for value in rows.column(i).to_pylist()] for i, kind in enumerate(_kinds(rows))]
