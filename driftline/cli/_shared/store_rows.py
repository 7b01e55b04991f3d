"""Rows of the store on the command line: filters, formats, and following what comes."""

from __future__ import annotations

import datetime
import json
import re
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from cyclopts import Parameter

from driftline.errors import InvalidInput
from driftline.store.query.row_query import Filter, RowQuery

if TYPE_CHECKING:
    from driftline.store.process.reader import Reader

__all__ = ["Format", "Row", "Store", "decode_dynamic", "follow", "print_rows", "streamed", "time_filters"]

Row = dict[str, Any]
Format = Literal["table", "json", "jsonl", "yaml"]
Store = Annotated[Path, Parameter(env_var="DRIFTLINE_STORE")]
DEFAULT_STORE = Path("/var/lib/driftline/store")

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_POLL_SECONDS = 0.25
_SEEN_KEPT = 100_000
_OVERLAP = datetime.timedelta(seconds=30)  # rows may come later than others of the same time


def time_filters(since: str, until: str) -> list[Filter]:
    """Turn ``1h`` or ISO times into filters; raises ``InvalidInput``."""
    found = [("--since", ">=", since), ("--until", "<", until)]
    return [Filter("Timestamp", operator, _time(name, value)) for name, operator, value in found if value]  # type: ignore[arg-type] # the two are of the Literal


def _time(option: str, value: str) -> str:
    if match := re.fullmatch(r"(\d+)([smhd])", value):
        passed = datetime.timedelta(**{_UNITS[match[2]]: int(match[1])})
        return (datetime.datetime.now(datetime.UTC) - passed).isoformat()
    try:
        time = datetime.datetime.fromisoformat(value)
    except ValueError as error:
        raise InvalidInput(f"{option}: expected a span like 90s, 15m, 1h, 7d or an ISO time, got {value!r}") from error
    return time.astimezone(datetime.UTC).isoformat()


def decode_dynamic(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[Row]:
    """Decode the dynamic columns, which the store gives as JSON text."""
    for row in rows:
        yield row | {name: json.loads(row[name]) if row[name] else {} for name in columns}


def print_rows(rows: Iterable[Row], output: Format, table: Callable[[Sequence[Row]], None]) -> None:
    """Print rows in a format for programs, or by ``table`` for people."""
    if output == "table":
        table(list(rows))
    elif output == "jsonl":
        for row in rows:
            print(json.dumps(_plain(row)), flush=True)
    elif output == "json":
        print(json.dumps([_plain(row) for row in rows], indent=2))
    else:
        yaml.safe_dump([_plain(row) for row in rows], sys.stdout, sort_keys=False, allow_unicode=True)


def _plain(row: Mapping[str, Any]) -> Row:
    return {name: value.isoformat() if isinstance(value, datetime.datetime) else value for name, value in row.items()}


def streamed(output: Format) -> Format:
    """Give the format for rows that go on coming: an array would never end."""
    return "jsonl" if output == "json" else output


def follow(
    reader: Reader, query: RowQuery, key: Callable[[Row], object], show: Callable[[Sequence[Row]], None]
) -> None:
    """Show what matches, then what comes, until interrupted."""
    seen: OrderedDict[object, None] = OrderedDict()
    start = [item for item in query.where if item.column == "Timestamp"]
    others = [item for item in query.where if item.column != "Timestamp"]
    while True:
        rows = reader.select(RowQuery(table=query.table, where=[*others, *start], limit=query.limit)).to_pylist()
        fresh = [row for row in reversed(rows) if key(row) not in seen]
        for row in fresh:
            seen[key(row)] = None
        while len(seen) > _SEEN_KEPT:
            seen.popitem(last=False)
        if fresh:
            show(fresh)
            start = [Filter("Timestamp", ">=", (fresh[-1]["Timestamp"] - _OVERLAP).isoformat())]
        time.sleep(_POLL_SECONDS)
