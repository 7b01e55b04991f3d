"""Text functions whose constants decide what they come down to."""

from __future__ import annotations

import re
import zoneinfo

from driftline.kql import constants, syntax
from driftline.kql.bind import types
from driftline.kql.bind.arguments import arity
from driftline.kql.bind.arithmetic import arithmetic, compared
from driftline.kql.bind.dispatch import bind_each
from driftline.kql.bind.scope import Scope
from driftline.kql.bind.terms import check_regex, term
from driftline.kql.plan import Call, Const, Scalar

__all__ = ["SPECIAL"]

GROUP = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((\?P?<(\w+)>|(?!\?))", re.DOTALL)


def _groups(pattern: str) -> list[str]:
    """Name the groups of a regular expression, in order; nameless ones are empty."""
    return [match[2] or "" for match in GROUP.finditer(pattern) if match[1] is not None]


def _extract_all(node: syntax.Call, scope: Scope) -> Scalar:
    values = arity(node, scope, 2, 3)
    pattern = values[0]
    check_regex(pattern, scope, node.arguments[0].span)
    if not isinstance(pattern, Const) or pattern.type != "string":
        scope.fail("expected a constant regular expression", node.arguments[0].span)
    names = _groups(pattern.value)
    if not 1 <= len(names) <= 16:
        scope.fail(f"expected a regular expression of 1 to 16 groups, got {len(names)}", node.arguments[0].span)
    chosen = _chosen(names, values, node, scope)
    source = types.coerce(values[-1], "text", scope=scope, span=node.arguments[-1].span)
    if len(names) == 1:
        return Call("extract_all_one", (pattern, source), "dynamic")
    return Call("extract_all_groups", (pattern, source, *(Const("long", place) for place in chosen)), "dynamic")


def _chosen(names: list[str], values: tuple[Scalar, ...], node: syntax.Call, scope: Scope) -> list[int]:
    if len(values) == 2:
        return list(range(1, len(names) + 1))
    wanted = values[1]
    if not isinstance(wanted, Const) or wanted.type != "dynamic" or wanted.value is None:
        scope.fail("expected a constant array of groups", node.arguments[1].span)
    known: dict[object, int] = {n: n for n in range(1, len(names) + 1)}
    known |= {name: place for place, name in enumerate(names, 1) if name}
    items = constants.loads_array(wanted.value)
    for item in items:
        if isinstance(item, (list, dict)) or item not in known:
            scope.fail(f"the regular expression has no group {item!r}", node.arguments[1].span)
    return [known[item] for item in items]


def _indexof(node: syntax.Call, scope: Scope) -> Scalar:
    """Find a text, from a constant place on; other lengths and occurrences are refused."""
    values = arity(node, scope, 2, 3, 4, 5)
    source, sought = (types.converted(value, "string") for value in values[:2])
    rest = [value.value if isinstance(value, Const) else None for value in values[2:]]
    if rest[1:] not in ([], [-1], [-1, 1]):
        scope.fail(f"not supported: '{node.name}' with a length or an occurrence", node.arguments[3].span)
    start = rest[0] if rest else 0
    if not isinstance(start, int) or start < 0:
        scope.fail("expected a constant start of 0 or more", node.arguments[2].span)
    name = "indexof_regex" if node.name == "indexof_regex" else "indexof"
    if not start:
        return Call(name, (source, sought), "long")
    piece = Call("substring", (source, Const("long", start), Const("long", None)), "string")
    found = Call(name, (piece, sought), "long")
    moved = arithmetic("+", found, Const("long", start), scope=scope, span=node.span)
    missing = compared("<", found, Const("long", 0), scope=scope, span=node.span)
    return Call("choose", (missing, Const("long", -1), moved), "long")


def _has_any_index(node: syntax.Call, scope: Scope) -> Scalar:
    text, words = arity(node, scope, 2)
    text = types.coerce(text, "text", scope=scope, span=node.arguments[0].span)
    if not isinstance(words, Const) or words.type != "dynamic":
        scope.fail("expected a constant array of terms", node.arguments[1].span)
    found: Scalar = Const("long", -1)
    items = constants.loads_array(words.value) if words.value is not None else []
    for place, item in reversed(list(enumerate(items))):
        needle = Const("string", item if isinstance(item, str) else constants.dumps(item))
        found = Call("choose", (term("has", text, needle), Const("long", place), found), "long")
    return found


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
    values = [types.coerce(v, "dynamic", scope=scope, span=node.span) for v in bind_each(node.arguments, scope)]
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


BYTE_UNITS = ("", "B", "KB", "MB", "GB", "TB", "PB", "EB")


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
    "extract_all": _extract_all,
    "indexof": _indexof,
    "indexof_regex": _indexof,
    "has_any_index": _has_any_index,
    "translate": _translate,
    "around": _around,
    "array_split": _array_split,
    "zip": _zip,
}
