"""Rows of the store for ``driftline alerts`` and ``driftline events``: time range, formats, polling."""

from __future__ import annotations

import datetime
import json
import re
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import yaml

from driftline.errors import InvalidInput
from driftline.store.query.row_query import Filter, RowQuery

if TYPE_CHECKING:
    from driftline.store.process.reader import Reader

__all__ = ["Format", "Row", "decode_dynamic", "follow", "print_rows", "streaming_format", "time_after", "time_filters"]

Row = dict[str, Any]
"""A row by column; a time is an aware ``datetime``."""

Format = Literal["table", "json", "jsonl", "yaml"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_POLL_SECONDS = 0.25
_MAX_SEEN = 100_000
# A row may arrive in the store after rows with the same or a later Timestamp.
_OVERLAP = datetime.timedelta(seconds=30)


def time_filters(since: str, until: str) -> list[Filter]:
    """Return the filters on ``Timestamp`` for a time range that includes ``since`` and excludes ``until``.

    Each is a span back from now (``90s``, ``15m``, ``1h``, ``7d``), an ISO 8601 time (local time if it has no
    offset), or empty for no limit. Raises ``InvalidInput`` for anything else.
    """
    found = [("--since", ">=", since), ("--until", "<", until)]
    return [Filter("Timestamp", operator, _time(name, value)) for name, operator, value in found if value]  # type: ignore[arg-type] # the two are of the Literal


def time_after(option: str, value: str) -> str:
    """Return a time in ISO 8601, UTC, that is given as such or as a span from now; raises ``InvalidInput``."""
    return _time(option, value, sign=1)


def _time(option: str, value: str, *, sign: int = -1) -> str:
    if match := re.fullmatch(r"(\d+)([smhd])", value):
        span = datetime.timedelta(**{_UNITS[match[2]]: int(match[1])})
        return (datetime.datetime.now(datetime.UTC) + sign * span).isoformat()
    try:
        time = datetime.datetime.fromisoformat(value)
    except ValueError as error:
        raise InvalidInput(f"{option}: expected a span like 90s, 15m, 1h, 7d or an ISO time, got {value!r}") from error
    return time.astimezone(datetime.UTC).isoformat()


def decode_dynamic(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows with their dynamic columns decoded; the store returns them as JSON text.

    ``columns`` names the dynamic columns; an empty value becomes an empty object.
    """
    for row in rows:
        yield row | {name: json.loads(row[name]) if row[name] else {} for name in columns}


def print_rows(rows: Iterable[Row], output: Format, table: Callable[[Sequence[Row]], None]) -> None:
    """Print rows in a format; ``table`` is called with all of them for the format ``table``.

    Times are written in ISO 8601. ``jsonl`` is flushed after each row, so that a pipe sees it at once.
    """
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


def streaming_format(output: Format) -> Format:
    """Return the format to use for an unending sequence of rows: a JSON array would never be closed."""
    return "jsonl" if output == "json" else output


def follow(
    reader: Reader, query: RowQuery, key: Callable[[Row], object], show: Callable[[Sequence[Row]], None]
) -> None:
    """Call ``show`` with the rows that match, then with new rows as they arrive, until interrupted.

    The rows are in ascending order of time. ``key`` returns the identity of a row: a row is shown once,
    although the queries overlap.
    """
    # The store has no change feed: poll, and start each query a little before the last row that was seen.
    # The oldest keys are forgotten first, so that memory stays bounded.
    seen: OrderedDict[object, None] = OrderedDict()
    start = [item for item in query.where if item.column == "Timestamp"]
    others = [item for item in query.where if item.column != "Timestamp"]
    while True:
        rows = reader.select(RowQuery(table=query.table, where=[*others, *start], limit=query.limit)).to_pylist()
        fresh = [row for row in reversed(rows) if key(row) not in seen]
        for row in fresh:
            seen[key(row)] = None
        while len(seen) > _MAX_SEEN:
            seen.popitem(last=False)
        if fresh:
            show(fresh)
            start = [Filter("Timestamp", ">=", (fresh[-1]["Timestamp"] - _OVERLAP).isoformat())]
        time.sleep(_POLL_SECONDS)
