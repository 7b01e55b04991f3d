"""Text functions whose constants decide what they come down to."""

from __future__ import annotations

import re
import zoneinfo

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scalars.arithmetic import arithmetic, compared
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar

__all__ = ["SPECIAL"]


# What has no counterpart becomes the last replacement; with none at all it goes.
def _translate(node: syntax.Call, scope: Scope) -> Scalar:
    sought, replacement, text = arity(node, scope, 3)
    if not (isinstance(sought, Const) and isinstance(replacement, Const)):
        scope.fail("expected constant lists of characters", node.arguments[0].span)
    old, new = str(sought.value), str(replacement.value)
    new = (new + new[-1:] * len(old))[: len(old)]
    text = types.coerce(text, "text", scope=scope, span=node.arguments[2].span)
    if not new:
        classes = "[" + "".join(f"\\x{{{ord(c):x}}}" for c in old) + "]"
        return Call("replace_regex", (text, Const("string", classes), Const("string", "")), "string") if old else text
    first = dict(reversed(list(zip(old, new, strict=True))))
    return Call(
        "translate_plain", (Const("string", "".join(first)), Const("string", "".join(first.values())), text), "string"
    )


def _around(node: syntax.Call, scope: Scope) -> Scalar:
    value, centre, distance = arity(node, scope, 3)
    low = arithmetic("-", centre, distance, scope=scope, span=node.span)
    high = arithmetic("+", centre, distance, scope=scope, span=node.span)
    inside = (
        compared(">=", value, low, scope=scope, span=node.span),
        compared("<=", value, high, scope=scope, span=node.span),
    )
    return Call("and", inside, "bool")


def _array_split(node: syntax.Call, scope: Scope) -> Scalar:
    array, places = arity(node, scope, 2)
    array = types.coerce(array, "dynamic", scope=scope, span=node.arguments[0].span)
    if places.type in {"int", "long"}:
        places = Call("pack_array", (types.converted(places, "dynamic"),), "dynamic")
    return Call("array_split_at", (array, types.coerce(places, "dynamic", scope=scope, span=node.span)), "dynamic")


def _zip(node: syntax.Call, scope: Scope) -> Scalar:
    values = [types.coerce(v, "dynamic", scope=scope, span=node.span) for v in scope.scalars(node.arguments)]
    if len(values) < 2:
        scope.fail("expected two arrays or more in 'zip'", node.span)
    found: Scalar = Call("zip_first", (values[0], values[1]), "dynamic")
    for value in values[2:]:
        found = Call("zip_more", (found, value), "dynamic")
    return found


# Runs of one letter, and what may stand between them.
FORMATS = {
    "format_timespan": re.compile(r"(?:d{1,8}|[Hh]{1,2}|m{1,2}|s{1,2}|f{1,7}|F{1,7}|[ /\-:,._\[\]])*"),
    "format_datetime": re.compile(
        r"(?:yyyy|yy?|M{1,2}|d{1,2}|H{1,2}|h{1,2}|m{1,2}|s{1,2}|tt|f{1,7}|F{1,7}|[ /\-:,._\[\]TZ])*"
    ),
}


def _format(node: syntax.Call, scope: Scope) -> Scalar:
    value, form = arity(node, scope, 2)
    if not isinstance(form, Const) or form.type != "string":
        scope.fail("expected a constant format", node.arguments[1].span)
    read = FORMATS[node.name].match(form.value)
    if read is None or read.end() < len(form.value):
        at = read.end() if read else 0
        scope.fail(f"'{form.value[at]}' at {at + 1} has no meaning in this format", node.arguments[1].span)
    kind = node.name.removeprefix("format_")
    value = types.coerce(value, kind, scope=scope, span=node.arguments[0].span)
    return Call(node.name, (value, form), "string")


BYTE_UNITS = ("", "Bytes", "KB", "MB", "GB", "TB", "PB", "EB")


def _format_bytes(node: syntax.Call, scope: Scope) -> Scalar:
    values = arity(node, scope, 1, 2, 3, 4)
    defaults = (Const("long", 0), Const("string", ""), Const("long", 1024))
    given = [*values[1:], *defaults[len(values) - 1 :]]
    precision, unit, base = (types.converted(v, d.type) for v, d in zip(given, defaults, strict=True))
    if not isinstance(unit, Const) or unit.value not in BYTE_UNITS:
        scope.fail(f"expected a unit of {', '.join(BYTE_UNITS[1:])}", node.arguments[2].span)
    if not isinstance(base, Const) or base.value not in {1000, 1024}:
        scope.fail("expected the base 1000 or 1024", node.arguments[3].span)
    if not isinstance(precision, Const) or precision.value not in range(16):
        scope.fail("expected a constant number of digits from 0 to 15", node.arguments[1].span)
    value = types.coerce(values[0], "number", scope=scope, span=node.arguments[0].span)
    return Call("format_bytes_by", (value, precision, unit, base), "string")


def _zoned(node: syntax.Call, scope: Scope) -> Scalar:
    moment, zone = arity(node, scope, 2)
    if not isinstance(zone, Const) or zone.value not in zoneinfo.available_timezones():
        scope.fail("expected the constant name of a time zone, such as 'Europe/Berlin'", node.arguments[1].span)
    moment = types.coerce(moment, "datetime", scope=scope, span=node.arguments[0].span)
    return Call(node.name, (moment, zone), "datetime")


def _command_line(node: syntax.Call, scope: Scope) -> Scalar:
    text, kind = arity(node, scope, 2)
    if not isinstance(kind, Const) or str(kind.value).lower() != "windows":
        scope.fail("expected 'windows', the only kind of command line there is", node.arguments[1].span)
    return Call("windows_words", (types.coerce(text, "text", scope=scope, span=node.arguments[0].span),), "dynamic")


SPECIAL = {
    "parse_command_line": _command_line,
    "format_bytes": _format_bytes,
    "datetime_utc_to_local": _zoned,
    "datetime_local_to_utc": _zoned,
    "format_datetime": _format,
    "format_timespan": _format,
    "translate": _translate,
    "around": _around,
    "array_split": _array_split,
    "zip": _zip,
}
