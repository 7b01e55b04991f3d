"""Datetime, timespan and dynamic constants: reading Kusto's text forms and writing them again.

The formats are those of Microsoft's reference: `datetime
<https://learn.microsoft.com/kusto/query/scalar-data-types/datetime>`__ and `timespan
<https://learn.microsoft.com/kusto/query/scalar-data-types/timespan>`__. A timespan is a number of ticks
of 100 ns, as in Kusto; a datetime is a number of microseconds since 1970-01-01 UTC, the resolution of
DuckDB's ``TIMESTAMP``.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from typing import Any

from driftline.clock import EPOCH

__all__ = ["BESIDE", "FORMATS", "TICKS", "datetime_us", "dynamic_text", "timespan_text", "timespan_ticks"]

SECOND = 10_000_000
"""Ticks of 100 ns in a second."""
TICKS = {"d": 86_400 * SECOND, "h": 3_600 * SECOND, "m": 60 * SECOND, "s": SECOND, "ms": 10_000, "us": 10, "tick": 1}
"""Ticks of 100 ns in each unit of a timespan literal."""
UNIT_NAMES = {
    "d": "d day days",
    "h": "h hr hrs hour hours",
    "m": "m min minute minutes",
    "s": "s sec second seconds",
    "ms": "ms milli millis millisecond milliseconds",
    "us": "micro micros microsecond microseconds",
    "tick": "tick ticks",
}
UNITS = {name: TICKS[unit] for unit, names in UNIT_NAMES.items() for name in names.split()}
# ``1.5h``, ``[-][days.]hh:mm[:ss[.fffffff]]`` and whole days: the three forms that ``totimespan`` accepts.
WITH_UNIT = re.compile(r"(-?)\s*(\d+)(?:\.(\d+))?\s*([a-z]+)")
CLOCK = re.compile(r"(-?)(?:(\d+)[.])?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?")
DAYS = re.compile(r"-?\d+")
# Kusto reads an incomplete ISO 8601 datetime from its year and month on, with an offset or a zone name behind it.
ISO_DATETIME = re.compile(
    r"(\d{4})-(\d{1,2})(?:-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?)?"
    r"\s*(Z|GMT|UTC|[+-]\d{2}:?\d{2})?"
)
PARTS = re.compile(r"(\d{1,4})" + r"\s*,\s*(\d{1,2})" * 2 + r"(?:\s*,\s*(\d{1,2}))?" * 3)
"""Year, month, day and, optionally, hour, minute and second with commas between: ``datetime(2025, 6, 14)``."""
BESIDE = re.compile(r"^\s*(?:[A-Za-z]+,\s*)?|\s*(?:GMT|UTC|Z)?\s*$")
"""Pattern of the text around a datetime of one of ``FORMATS``: weekday before it, zone name after it."""
FORMATS = tuple(
    f"{day}{clock}"
    for day in ("%d %b %y", "%d %b %Y", "%d-%b-%y", "%d-%b-%Y", "%m/%d/%Y", "%m-%d-%Y", "%Y-%m-%d")
    for clock in (" %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "")
)
"""Kusto's datetime formats besides ISO 8601 (RFC 822, RFC 850, American), as ``strptime`` formats, tried in order."""


def timespan_ticks(text: str) -> int | None:
    """Return a timespan (``1.5h``, ``1.02:03:04.5``, ``3``) in ticks of 100 ns; None if the text is no timespan.

    A number without a unit is a number of days. Fractions below one tick are cut off.
    """
    if match := WITH_UNIT.fullmatch(text):
        sign, whole, fraction, unit = match.groups()
        if unit not in UNITS:
            return None
        part = int(fraction or 0) * UNITS[unit] // int(10 ** len(fraction or ""))
        return (-1 if sign else 1) * (int(whole) * UNITS[unit] + part)
    if match := CLOCK.fullmatch(text):
        sign, days, hours, minutes, seconds, fraction = match.groups()
        whole = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds or 0)
        return (-1 if sign else 1) * (whole * SECOND + int((fraction or "").ljust(7, "0")))
    return int(text) * TICKS["d"] if DAYS.fullmatch(text) else None


def timespan_text(ticks: int) -> str:
    """Return ticks of 100 ns as Kusto prints a timespan: ``1.02:03:04.5000000`` is 1 d 2 h 3 min 4.5 s.

    The days are left out if they are 0, the fraction (always seven digits) if it is 0.
    """
    sign, ticks = ("-" if ticks < 0 else ""), abs(ticks)
    days, rest = divmod(ticks, TICKS["d"])
    seconds, fraction = divmod(rest, SECOND)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{sign}{f'{days}.' if days else ''}{clock}{f'.{fraction:07}' if fraction else ''}"


def datetime_us(text: str) -> int | None:
    """Return a datetime in microseconds since 1970-01-01 UTC; None if the text is no datetime.

    A datetime without a zone is UTC. The seventh decimal of the seconds (100 ns) is cut off, because both
    engines store microseconds. The formats are ISO 8601 (``2026-01-31``, ``2026-01-31T10:00:00+01:00``) and
    ``FORMATS`` (``31 Jan 26 10:00``, ``01/31/2026``), and parts with commas between (``2026, 1, 31``).
    """
    if match := ISO_DATETIME.fullmatch(text.strip()):
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        return _us((year, month, day or "1", hour, minute, second), fraction or "", zone or "Z")
    if match := PARTS.fullmatch(text.strip()):
        return _us(match.groups(), "", "Z")
    plain = BESIDE.sub("", text)
    return next((us for form in FORMATS if (us := _us_by(form, plain)) is not None), None)


# None for a text that does not have the format, or names a day that the month does not have.
def _us_by(form: str, text: str) -> int | None:
    try:
        moment = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


# ``parts`` are year to second; an offset such as ``+01:00`` is subtracted to get UTC.
def _us(parts: tuple[str | None, ...], fraction: str, zone: str) -> int | None:
    try:
        moment = datetime.datetime(*(int(part or 0) for part in parts), tzinfo=datetime.UTC)  # type: ignore[arg-type,misc]
    except ValueError:
        return None
    offset = 0 if zone[0] not in "+-" else (int(zone[1:3]) * 60 + int(zone[-2:])) * (-60 if zone[0] == "-" else 60)
    elapsed = moment - EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds - offset) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def dynamic_text(value: Any) -> str | None:
    """Return a dynamic literal of the parser as compact JSON; None for ``dynamic(null)``.

    ``value`` is None or a pair of a kind and a content: ``("array", [value, …])``, ``("bag", [(name, value), …])``,
    or a scalar type and its Python value. Datetimes and timespans become text, as Kusto's dynamic type has
    them: ``dynamic([datetime(2026-01-31)])`` is ``["2026-01-31T00:00:00.0000000Z"]``.
    """
    return None if value is None else json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:  # noqa: PLR0911 -- one return for each kind
    if value is None:
        return None
    kind, inner = value
    if kind == "array":
        return [_plain(item) for item in inner]
    if kind == "bag":
        return {name: _plain(item) for name, item in inner}
    if kind == "timespan":
        return timespan_text(timespan_ticks(inner) or 0)
    if kind == "datetime":
        us = datetime_us(inner)
        return None if us is None else (EPOCH + datetime.timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    if isinstance(inner, float) and not math.isfinite(inner):  # JSON has no such numbers; Kusto writes them as text
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(inner, "NaN")
    return inner


def dumps(value: Any) -> str:
    """Return a value as JSON in the spelling of both engines: no spaces, Unicode unescaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def loads_array(text: str) -> list[Any]:
    """Return the elements of a JSON array; any other JSON value becomes a list of itself."""
    value = json.loads(text)
    return value if isinstance(value, list) else [value]
