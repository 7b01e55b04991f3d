"""Datetimes and timespans: now, ago, parts by name, make_datetime, formats, time zones.

https://learn.microsoft.com/kusto/query/scalar-functions#datetimetimespan-functions
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable

from driftline.kql import functions, syntax
from driftline.kql.bind.functions.signatures import bind_call_to
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity, constant
from driftline.kql.bind.scalars.arithmetic import arithmetic
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Col, Const, Scalar
from driftline.kql.text.problems import suggestion

__all__ = ["SPECIAL"]


def _now(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``now(offset)``.

    The call stays in the plan; the rewrite ``fold_constants`` replaces it by the time of the query.
    """
    values = arity(node, scope, 0, 1)
    now = Call("now_utc", (), "datetime")
    return arithmetic("+", now, values[0], scope=scope, span=node.span) if values else now


def _ago(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``ago(timespan)``."""
    (length,) = arity(node, scope, 1)
    length = types.coerce(length, "timespan", scope=scope, span=node.span)
    return Call("datetime-", (Call("now_utc", (), "datetime"), length), "datetime")


def _by_name(prefix: str, order: tuple[int, ...]) -> Callable[[syntax.Call, Scope], Scalar]:
    """Return the binder of a function whose first argument names one of several functions.

    ``datetime_part("hour", x)`` becomes the row ``datetime_part_hour``. ``order`` gives the places of the
    call's arguments in that row.
    """

    def bind(node: syntax.Call, scope: Scope) -> Scalar:
        values = arity(node, scope, len(order) + 1)
        name = str(constant(node.arguments[0], scope, "string")).lower()
        row = functions.FUNCTIONS.get(f"{prefix}_{UNIT_ALIASES.get(name, name)}")
        # The units are those for which the function table has a row.
        if row is None:
            known = [key.removeprefix(prefix + "_") for key in functions.FUNCTIONS if key.startswith(prefix + "_")]
            scope.fail(f"unknown unit '{name}'{suggestion(name, known)}", node.arguments[0].span)
        args = tuple(values[index] for index in order)
        reordered = syntax.Call(node.name, tuple(node.arguments[index] for index in order), span=node.span)
        return bind_call_to(row, reordered, args, scope)

    return bind


UNIT_ALIASES = {"dayofmonth": "day", "weekofyear": "week_of_year"}


def _make_datetime(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``make_datetime``: of a text, or of year, month, day and, optionally, hour, minute and second."""
    values = list(arity(node, scope, *range(1, 7)))
    if len(values) == 1:
        return types.converted(values[0], "datetime")
    # The day is 1 and the time 0 where they are left out.
    values += [Const("long", 1)] * (len(values) < 3) + [Const("long", 0)] * 3
    kinds = ["long"] * 5 + ["real"]
    args = tuple(types.converted(v, k) for v, k in zip(values, kinds, strict=False))
    return Call("make_datetime_parts", args, "datetime")


def _make_timespan(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``make_timespan``: of a text, or of (days), hours, minutes and, optionally, seconds."""
    values = arity(node, scope, 1, 2, 3, 4)
    if len(values) == 1:
        return types.converted(values[0], "timespan")
    if len(values) < 4:  # (hours, minutes) or (hours, minutes, seconds)
        values = (Const("long", 0), *values, *[Const("real", 0.0)] * (3 - len(values)))
    parts = zip(values, ("long", "long", "long", "real"), strict=True)
    return Call("make_timespan_parts", tuple(types.converted(value, kind) for value, kind in parts), "timespan")


# Specifiers, runs of one letter, and the delimiters that Kusto allows between them.
FORMATS = {
    "format_timespan": re.compile(r"(?:d{1,8}|[Hh]{1,2}|m{1,2}|s{1,2}|f{1,7}|F{1,7}|[ /\-:,._\[\]])*"),
    "format_datetime": re.compile(
        r"(?:yyyy|yy?|M{1,2}|d{1,2}|H{1,2}|h{1,2}|m{1,2}|s{1,2}|tt|f{1,7}|F{1,7}|[ /\-:,._\[\]TZ])*"
    ),
}


def _format(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``format_datetime`` or ``format_timespan``, whose format must be constant and of known specifiers.

    https://learn.microsoft.com/kusto/query/format-datetime-function
    """
    value, form = arity(node, scope, 2)
    if not isinstance(form, Const) or form.type != "string":
        scope.fail("expected a constant format", node.arguments[1].span)
    # An engine would write an unknown specifier as it is; Kusto refuses it.
    read = FORMATS[node.name].match(form.value)
    if read is None or read.end() < len(form.value):
        at = read.end() if read else 0
        scope.fail(f"'{form.value[at]}' at {at + 1} is no format specifier", node.arguments[1].span)
    kind = node.name.removeprefix("format_")
    value = types.coerce(value, kind, scope=scope, span=node.arguments[0].span)
    return Call(node.name, (value, form), "string")


def _zoned(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``datetime_utc_to_local`` or ``datetime_local_to_utc``; the time zone is an IANA name.

    An unknown name in a column gives null. ClickHouse takes constant names alone.
    """
    moment, zone = arity(node, scope, 2)
    if isinstance(zone, Const) and zone.value not in zoneinfo.available_timezones():
        scope.fail("expected the name of a time zone, such as 'Europe/Berlin'", node.arguments[1].span)
    zone = types.coerce(zone, "string", scope=scope, span=node.arguments[1].span)
    moment = types.coerce(moment, "datetime", scope=scope, span=node.arguments[0].span)
    return Call(node.name if isinstance(zone, Const) else f"{node.name}_of", (moment, zone), "datetime")


def _ingestion_time(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``ingestion_time()``: the time of the row's event, which sensors send within seconds; null without one.

    https://learn.microsoft.com/kusto/query/ingestion-time-function
    """
    arity(node, scope, 0)
    named = (scope.column(name) for name in ("Timestamp", "TimeGenerated"))
    column = next((each for each in named if each is not None and each.type == "datetime"), None)
    return Const("datetime", None) if column is None else Col(column.id, "datetime")


SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {
    "now": _now,
    "ago": _ago,
    "ingestion_time": _ingestion_time,
    "datetime_part": _by_name("datetime_part", (1,)),
    "datetime_diff": _by_name("datetime_diff", (1, 2)),
    "datetime_add": _by_name("datetime_add", (2, 1)),
    "make_datetime": _make_datetime,
    "make_timespan": _make_timespan,
    "format_datetime": _format,
    "format_timespan": _format,
    "datetime_utc_to_local": _zoned,
    "datetime_local_to_utc": _zoned,
}
