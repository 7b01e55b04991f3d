"""Constants as Kusto writes them: datetimes, timespans, dynamic values."""

from __future__ import annotations

import datetime
import json
import math
import re
from typing import Any

__all__ = ["BESIDE", "FORMATS", "TICKS", "datetime_us", "dynamic_text", "timespan_text", "timespan_ticks"]

SECOND = 10_000_000
TICKS = {"d": 86_400 * SECOND, "h": 3_600 * SECOND, "m": 60 * SECOND, "s": SECOND, "ms": 10_000, "us": 10, "tick": 1}
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
WITH_UNIT = re.compile(r"(-?)\s*(\d+)(?:\.(\d+))?\s*([a-z]+)")
CLOCK = re.compile(r"(-?)(?:(\d+)[.])?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?")
DAYS = re.compile(r"-?\d+")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
MOMENT = re.compile(
    r"(\d{4})-(\d{1,2})(?:-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?)?"
    r"\s*(Z|GMT|UTC|[+-]\d{2}:?\d{2})?"
)
BESIDE = re.compile(r"^\s*(?:[A-Za-z]+,\s*)?|\s*(?:GMT|UTC|Z)?\s*$")
"""What may stand before and after a datetime of one of the ``FORMATS``: the day of the week, the zone."""
FORMATS = tuple(
    f"{day}{clock}"
    for day in ("%d %b %y", "%d %b %Y", "%d-%b-%y", "%d-%b-%Y", "%m/%d/%Y", "%m-%d-%Y", "%Y-%m-%d")
    for clock in (" %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "")
)
"""Kusto's formats beside ISO 8601: RFC 822, RFC 850, American, as strptime has them."""


def timespan_ticks(text: str) -> int | None:
    """Give a timespan (``1.5h``, ``1.02:03:04.5``, ``3``) in ticks of 100 ns, or None if it is none."""
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
    """Write ticks as Kusto prints timespans: ``1.02:03:04.5000000``."""
    sign, ticks = ("-" if ticks < 0 else ""), abs(ticks)
    days, rest = divmod(ticks, TICKS["d"])
    seconds, fraction = divmod(rest, SECOND)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{sign}{f'{days}.' if days else ''}{clock}{f'.{fraction:07}' if fraction else ''}"


def datetime_us(text: str) -> int | None:
    """Give a datetime in microseconds since 1970 (UTC), or None if the text is none.

    Kusto's seventh decimal (100 ns) is cut: both engines keep microseconds.
    """
    if match := MOMENT.fullmatch(text.strip()):
        year, month, day, hour, minute, second, fraction, zone = match.groups()
        return _us((year, month, day or "1", hour, minute, second), fraction or "", zone or "Z")
    plain = BESIDE.sub("", text)
    return next((us for form in FORMATS if (us := _us_by(form, plain)) is not None), None)


def _us_by(form: str, text: str) -> int | None:
    try:
        moment = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def _us(parts: tuple[str | None, ...], fraction: str, zone: str) -> int | None:
    try:
        moment = datetime.datetime(*(int(part or 0) for part in parts), tzinfo=datetime.UTC)  # type: ignore[arg-type,misc]
    except ValueError:
        return None
    offset = 0 if zone[0] not in "+-" else (int(zone[1:3]) * 60 + int(zone[-2:])) * (-60 if zone[0] == "-" else 60)
    elapsed = moment - EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds - offset) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def dynamic_text(value: Any) -> str | None:
    """Write the parser's dynamic constant as compact JSON, or None for null."""
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
    if isinstance(inner, float) and not math.isfinite(inner):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(inner, "NaN")
    return inner


def dumps(value: Any) -> str:
    """Write JSON as both engines do: compact."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def loads_array(text: str) -> list[Any]:
    """Give the elements of a JSON array; anything else is its own only element."""
    value = json.loads(text)
    return value if isinstance(value, list) else [value]
