"""Arithmetic and comparison by the types of both sides."""

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
    """Bind ``+ - * / %`` by the operands' types."""
    kinds = (left.type, right.type)
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
    """Compute whole-number constants here: ``1d * 7`` is then a constant for who needs one."""
    if isinstance(left, Const) and isinstance(right, Const) and kind != "real" and op in FOLDS:
        if left.value is None or right.value is None:
            return Const(kind, None)
        value = FOLDS[op](left.value, right.value)
        return Const(kind, (value + 2**63) % 2**64 - 2**63)  # Kusto's whole numbers wrap around
    return Call(op, (left, right), kind)


def compared(op: str, left: Scalar, right: Scalar, *, scope: Scope, span: Span) -> Scalar:
    """Bind a comparison; a dynamic side takes the other side's type."""
    if "decimal" in {left.type, right.type} and left.type != right.type:
        scope.fail(f"cannot compare {left.type} with {right.type}; versions compare with versions", span)
    if "dynamic" in {left.type, right.type} and left.type != right.type:
        kind = _kind_beside_dynamic(op, right if left.type == "dynamic" else left)
        left, right = types.converted(left, kind), types.converted(right, kind)
    elif left.type == right.type == "dynamic":
        left, right = types.converted(left, "string"), types.converted(right, "string")
    left, right = types.as_number(left, right.type), types.as_number(right, left.type)
    kinds = frozenset([left.type, right.type])
    if not (_comparable_types(kinds) or types.is_null(left) or types.is_null(right)):
        hint = hints.of_types(left.type, right.type) or "; convert one of them"
        scope.fail(f"cannot compare {left.type} with {right.type}{hint}", span)
    kind, values = types.common(_comparable(left, right), scope=scope, span=span)
    name = f"{op}string" if kind == "string" and op in {"==", "!="} else op
    return Call(name, values, "bool")


# A dynamic number may be broken: 5.5 is greater than 5. Reals tell whole numbers apart up to 2 ** 53.
def _kind_beside_dynamic(op: str, other: Scalar) -> str:
    if other.type not in {"int", "long"}:
        return other.type
    if isinstance(other, Const):
        return "real" if other.value is not None and abs(other.value) < EXACT else "long"
    return "long" if op in {"==", "!="} else "real"


EXACT = 2**53


def _comparable_types(kinds: frozenset[str]) -> bool:
    return (
        len(kinds) == 1
        or kinds <= types.NUMBERS.keys()
        or kinds in {frozenset(["bool", "long"]), frozenset(["string", "guid"])}
    )


def _comparable(left: Scalar, right: Scalar) -> tuple[Scalar, Scalar]:
    if {left.type, right.type} == {"bool", "long"}:
        return types.converted(left, "long"), types.converted(right, "long")
    return left, right
