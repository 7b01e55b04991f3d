"""String functions that need more than a template.

https://learn.microsoft.com/kusto/query/scalar-functions#string-functions
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar

__all__ = ["SPECIAL"]


def _split(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``split(text, delimiter, index)``: all parts, or an array of the part at an index from 0."""
    values = arity(node, scope, 2, 3)
    text = types.coerce(values[0], "text", scope=scope, span=node.arguments[0].span)
    delimiter = types.coerce(values[1], "string", scope=scope, span=node.arguments[1].span)
    parts = Call("split_all", (text, delimiter), "dynamic")
    if len(values) == 2:
        return parts
    index = types.coerce(values[2], "long", scope=scope, span=node.arguments[2].span)
    return Call("array_one", (parts, index), "dynamic")


def _text_of_points(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``unicode_codepoints_to_string``: of up to 64 numbers and arrays."""
    values = arity(node, scope, *range(1, 65))
    for value, argument in zip(values, node.arguments, strict=True):
        if value.type not in {"int", "long", "dynamic"}:
            scope.fail(f"expected a long or an array, got a {value.type}", argument.span)
    arrays = [
        v if v.type == "dynamic" else Call("pack_array", (types.converted(v, "dynamic"),), "dynamic") for v in values
    ]
    points: Scalar = arrays[0]
    for array in arrays[1:]:
        points = Call("array_concat_two", (points, array), "dynamic")
    return Call("text_of_points", (points,), "string")


def _strrep(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``strrep(value, times, delimiter)``."""
    text, times, *delimiter = arity(node, scope, 2, 3)
    times = types.coerce(times, "long", scope=scope, span=node.arguments[1].span)
    between = types.converted(delimiter[0], "string") if delimiter else Const("string", "")
    return Call("repeat_text", (types.converted(text, "string"), times, between), "string")


def _translate(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``translate(search, replacement, text)``, with constant lists of characters.

    A character without a counterpart gets the last replacement; without any replacement it is removed.
    https://learn.microsoft.com/kusto/query/translate-function
    """
    sought, replacement, text = arity(node, scope, 3)
    if not (isinstance(sought, Const) and isinstance(replacement, Const)):
        scope.fail("expected constant lists of characters", node.arguments[0].span)
    old, new = str(sought.value), str(replacement.value)
    new = (new + new[-1:] * len(old))[: len(old)]
    text = types.coerce(text, "text", scope=scope, span=node.arguments[2].span)
    if not new:
        # Removing characters by a set: RE2 takes them by code point, so that none needs an escape of its own.
        classes = "[" + "".join(f"\\x{{{ord(c):x}}}" for c in old) + "]"
        return Call("replace_regex", (text, Const("string", classes), Const("string", "")), "string") if old else text
    # Of a character that is listed twice, the first counterpart counts.
    first = dict(reversed(list(zip(old, new, strict=True))))
    return Call(
        "translate_plain", (Const("string", "".join(first)), Const("string", "".join(first.values())), text), "string"
    )


BYTE_UNITS = ("", "Bytes", "KB", "MB", "GB", "TB", "PB", "EB")


def _format_bytes(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``format_bytes(value, precision, unit, base)``; all but the value must be constants.

    https://learn.microsoft.com/kusto/query/format-bytes-function
    """
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


def _command_line(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``parse_command_line(text, "windows")``; Kusto knows no other kind.

    https://learn.microsoft.com/kusto/query/parse-command-line-function
    """
    text, kind = arity(node, scope, 2)
    if not isinstance(kind, Const) or str(kind.value).lower() != "windows":
        scope.fail("expected 'windows', the only kind of command line there is", node.arguments[1].span)
    return Call("windows_words", (types.coerce(text, "text", scope=scope, span=node.arguments[0].span),), "dynamic")


SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {
    "split": _split,
    "strrep": _strrep,
    "translate": _translate,
    "unicode_codepoints_to_string": _text_of_points,
    "format_bytes": _format_bytes,
    "parse_command_line": _command_line,
}
