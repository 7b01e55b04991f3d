"""Types of values: implicit and explicit conversions, and the common type of several values.

The types are Kusto's (https://learn.microsoft.com/kusto/query/scalar-data-types/), and so are the conversions:
a function that does not apply to a value's type is an error, a value that cannot be converted is null.
Parameter types of the function table are Kusto's types or one of these:

- ``any``: every type;
- ``text``: every type, converted to string;
- ``json``: every type, converted to dynamic;
- ``regex``: a string that is a regular expression;
- ``number``: int, long or real;
- ``span``: a number or a timespan.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from driftline.kql.bind.scalars.regexes import regex
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar
from driftline.kql.text import hints
from driftline.kql.text.problems import Span

__all__ = ["NUMBERS", "as_number", "beside_text", "coerce", "common", "converted", "is_null"]

# Up to 18 digits always fit into a long.
WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
# The numeric types, in the order of widening.
NUMBERS = {"int": 0, "long": 1, "real": 2}
CONVERTERS = {
    "string": "tostring",
    "long": "tolong",
    "int": "toint",
    "real": "toreal",
    "bool": "tobool",
    "datetime": "todatetime",
    "timespan": "totimespan",
    "guid": "toguid",
    "dynamic": "to_json",
    "decimal": "todecimal",  # only parse_version gives decimals: no engine has Kusto's 128-bit decimal
}
# Conversions that lose nothing: they need no check of the value's text.
WIDER = {("int", "long"): "whole_to_long", ("int", "real"): "whole_to_real", ("long", "real"): "whole_to_real"}


def is_null(value: Scalar) -> bool:
    """Whether a value is the constant null."""
    return isinstance(value, Const) and value.value is None


def converted(value: Scalar, kind: str) -> Scalar:
    """Convert a value as Kusto's ``to…`` functions do: a value that cannot be converted becomes null.

    A string is never null in Kusto, so null becomes the empty string.
    https://learn.microsoft.com/kusto/query/scalar-data-types/null-values
    """
    if value.type == kind:
        return value
    if is_null(value):
        return Const(kind, "" if kind == "string" else None)
    if isinstance(value, Const) and (value.type, kind) in WIDER:
        return Const(kind, float(value.value) if kind == "real" else value.value)
    name = WIDER.get((value.type, kind), CONVERTERS[kind])
    return Call(name, (value,), kind)


def coerce(value: Scalar, wanted: str, *, scope: Scope, span: Span) -> Scalar:  # noqa: PLR0911 -- one return for each rule
    """Convert a value to the type that its place needs, where Kusto does so implicitly; otherwise note a problem."""
    have = value.type
    if wanted in {"any", have}:
        return value
    if wanted == "text":
        return converted(value, "string")
    if wanted == "json":
        return converted(value, "dynamic")
    if wanted == "regex":
        return regex(coerce(value, "string", scope=scope, span=span), scope, span)
    if wanted in {"number", "span"}:
        return _numeric(value, wanted, scope=scope, span=span)
    if have == "dynamic" or is_null(value) or (have, wanted) in WIDER:
        return converted(value, wanted)
    if wanted == "string" and have == "guid":
        return converted(value, "string")
    if wanted == "int" and have == "long":
        return converted(value, "int")
    # ``where Flag`` with a numeric column: Kusto takes every number but 0 as true.
    if wanted == "bool" and have in NUMBERS:
        return converted(value, "bool")
    scope.fail(f"expected a {wanted}, got a {have}{hints.of_types(wanted, have)}", span)


def _numeric(value: Scalar, wanted: str, *, scope: Scope, span: Span) -> Scalar:
    """Convert dynamic to real and bool to long; note a problem for other types that are no numbers."""
    if value.type in NUMBERS or (wanted == "span" and value.type == "timespan"):
        return value
    if value.type == "dynamic":
        return converted(value, "real")
    if value.type == "bool":
        return converted(value, "long")
    scope.fail(f"expected a number{' or timespan' if wanted == 'span' else ''}, got a {value.type}", span)


def as_number(value: Scalar, other: str) -> Scalar:
    """Read a constant string beside a number as a number: published hunts write ``EventID == "4688"``."""
    if other not in NUMBERS or not (isinstance(value, Const) and value.type == "string"):
        return value
    return Const("long", int(value.value)) if WHOLE.fullmatch(value.value) else value


def beside_text(value: Scalar, other: Scalar, op: str) -> Scalar:
    """Convert one side of a comparison of a text with a number: published hunts write ``ResultType == 0``.

    Equality with a whole constant compares texts, which the term index and the engine's own statistics know.
    Anything else compares as numbers; a text that holds no number is then null.
    """
    if isinstance(value, Const) and _is_whole(value) and other.type == "string" and op in {"==", "!="}:
        return Const("string", str(value.value))
    if value.type == "string" and other.type in NUMBERS and not isinstance(value, Const):
        if op not in {"==", "!="}:
            return converted(value, "real")
        return value if _is_whole(other) else converted(value, other.type)
    return value


def _is_whole(value: Scalar) -> bool:
    return isinstance(value, Const) and value.type in {"int", "long"} and value.value is not None


def common(
    values: Sequence[Scalar], *, scope: Scope, span: Span, dynamic: bool = True
) -> tuple[str, tuple[Scalar, ...]]:
    """Return the type that all values share after widening, and the values converted to it.

    int widens to long and long to real. Beside other types dynamic wins, unless ``dynamic`` is false: the branches of
    ``iff`` and ``case`` take the type of the other branch.
    """
    kinds = {value.type for value in values if not is_null(value)} or {value.type for value in values}
    # The order of the rules counts: dynamic that is not wanted goes first, numbers widen, dynamic wins what is left.
    if len(kinds) > 1 and not dynamic:
        kinds -= {"dynamic"}
    if len(kinds) > 1 and kinds <= NUMBERS.keys():
        kinds = {max(kinds, key=NUMBERS.__getitem__)}
    if len(kinds) > 1 and "dynamic" in kinds:
        kinds = {"dynamic"}
    if kinds == {"string", "guid"}:
        kinds = {"string"}
    if len(kinds) != 1:
        scope.fail(f"expected values of one type, got {' and '.join(sorted(kinds))}", span)
    kind = kinds.pop()
    return kind, tuple(converted(value, kind) for value in values)


def converted_ticks(value: Scalar) -> Scalar:
    """Convert a timespan to its ticks of 100 ns, as a real."""
    if isinstance(value, Const):
        return Const("real", None if value.value is None else float(value.value))
    return Call("whole_to_real", (value,), "real")
