"""Arithmetic and comparison, by the types of both sides.

https://learn.microsoft.com/kusto/query/numerical-operators and …/datetime-timespan-arithmetic
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar
from driftline.kql.text import hints
from driftline.kql.text.problems import Span

__all__ = ["arithmetic", "compared", "folded", "negated"]


def negated(value: Scalar) -> Scalar:
    """Negate a condition."""
    return Call("not", (value,), "bool")


def arithmetic(op: str, left: Scalar, right: Scalar, *, scope: Scope, span: Span) -> Scalar:
    """Bind ``+ - * / %`` by the operands' types: numbers, datetimes and timespans."""
    kinds = (left.type, right.type)
    # The difference of datetimes is a timespan; the sum is an error.
    if kinds == ("datetime", "datetime") and op == "-":
        return Call("datetime_minus", (left, right), "timespan")
    if left.type == "datetime" and right.type in {"timespan", "dynamic"} and op in {"+", "-"}:
        return Call(f"datetime{op}", (left, types.converted(right, "timespan")), "datetime")
    if kinds == ("timespan", "datetime") and op == "+":
        return Call("datetime+", (right, left), "datetime")
    if "timespan" in kinds:
        return _timespans(op, left, right, scope=scope, span=span)
    if not all(kind in types.NUMBERS or kind in {"dynamic", "bool"} for kind in kinds):
        scope.fail(f"'{op}' does not work on {left.type} and {right.type}", span)
    left, right = (types.coerce(value, "number", scope=scope, span=span) for value in (left, right))
    kind = "real" if "real" in {left.type, right.type} else "long"
    left, right = types.converted(left, kind), types.converted(right, kind)
    if op == "/":
        return Call("/real" if kind == "real" else "/whole", (left, right), kind)
    return folded(op, left, right, kind)


def _timespans(op: str, left: Scalar, right: Scalar, *, scope: Scope, span: Span) -> Scalar:
    """Bind arithmetic with a timespan: with another timespan, or scaled by a number."""
    kinds = (left.type, right.type)
    if "dynamic" in kinds and op in {"+", "-"}:
        left, right = types.converted(left, "timespan"), types.converted(right, "timespan")
        kinds = ("timespan", "timespan")
    if kinds == ("timespan", "timespan"):
        if op == "/":
            return Call("/real", (types.converted_ticks(left), types.converted_ticks(right)), "real")
        if op in {"+", "-", "%"}:
            return folded(op, left, right, "timespan")
    number = right if left.type == "timespan" else left
    length = left if left.type == "timespan" else right
    if number.type in {*types.NUMBERS, "dynamic"} and (op == "*" or (op == "/" and length is left)):
        # A long factor keeps ticks exact; every other number goes through reals.
        number = types.converted(number, "real") if number.type != "long" or op == "/" else number
        if number.type == "long":
            return folded("*", length, number, "timespan")
        ticks = types.converted_ticks(length)
        made = Call("/real" if op == "/" else "*", (ticks, number), "real")
        return Call("real_to_span", (made,), "timespan")
    scope.fail(f"'{op}' does not work on {left.type} and {right.type}", span)


FOLDS: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


def folded(op: str, left: Scalar, right: Scalar, kind: str) -> Scalar:
    """Compute a constant of whole numbers at once: ``1d * 7`` is then a constant where one is needed."""
    if isinstance(left, Const) and isinstance(right, Const) and kind != "real" and op in FOLDS:
        if left.value is None or right.value is None:
            return Const(kind, None)
        value = FOLDS[op](left.value, right.value)
        # Kusto's long wraps around at 64 bits.
        return Const(kind, (value + 2**63) % 2**64 - 2**63)
    return Call(op, (left, right), kind)


def compared(op: str, left: Scalar, right: Scalar, *, scope: Scope, span: Span) -> Scalar:
    """Bind a comparison; a dynamic side takes the other side's type.

    Strings compare with their own functions for ``==`` and ``!=``, because Kusto's strings are never null.
    """
    if "decimal" in {left.type, right.type} and left.type != right.type:
        scope.fail(f"cannot compare {left.type} with {right.type}; versions compare with versions", span)
    if "dynamic" in {left.type, right.type} and left.type != right.type:
        kind = _kind_beside_dynamic(op, right if left.type == "dynamic" else left)
        left, right = types.converted(left, kind), types.converted(right, kind)
    elif left.type == right.type == "dynamic":
        left, right = types.converted(left, "string"), types.converted(right, "string")
    left, right = types.as_number(left, right.type), types.as_number(right, left.type)
    left, right = types.beside_text(left, right, op), types.beside_text(right, left, op)
    kinds = frozenset([left.type, right.type])
    if not (_comparable_types(kinds) or types.is_null(left) or types.is_null(right)):
        hint = hints.of_types(left.type, right.type) or "; convert one of them"
        scope.fail(f"cannot compare {left.type} with {right.type}{hint}", span)
    kind, values = types.common(_comparable(left, right), scope=scope, span=span)
    name = f"{op}string" if kind == "string" and op in {"==", "!="} else op
    return Call(name, values, "bool")


def _kind_beside_dynamic(op: str, other: Scalar) -> str:
    """Return the type in which a dynamic value compares with a value of another type.

    A dynamic number may have a fraction: 5.5 > 5. Reals tell whole numbers apart up to 2 ** 53 only, so larger
    constants, and equality with a column, compare as long.
    """
    if other.type not in {"int", "long"}:
        return other.type
    if isinstance(other, Const):
        return "real" if other.value is not None and abs(other.value) < EXACT else "long"
    return "long" if op in {"==", "!="} else "real"


# Up to here, every whole number is a double of its own.
EXACT = 2**53


def _comparable_types(kinds: frozenset[str]) -> bool:
    """Whether Kusto compares values of these types."""
    return (
        len(kinds) == 1
        or kinds <= types.NUMBERS.keys()
        or kinds in {frozenset(["bool", "long"]), frozenset(["string", "guid"])}
    )


def _comparable(left: Scalar, right: Scalar) -> tuple[Scalar, Scalar]:
    """Convert a bool to long where the other side is a long."""
    if {left.type, right.type} == {"bool", "long"}:
        return types.converted(left, "long"), types.converted(right, "long")
    return left, right
