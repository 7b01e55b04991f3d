"""Rounding and numbers: bin, bin_at, abs, around, rand, percentile_tdigest.

https://learn.microsoft.com/kusto/query/scalar-functions#rounding-functions
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scalars.arithmetic import arithmetic, compared
from driftline.kql.bind.scalars.type_literals import type_literal
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar

__all__ = ["SPECIAL"]


def _bin(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``bin(value, size)``: round down to a multiple of the size, 1 by default.

    https://learn.microsoft.com/kusto/query/bin-function
    """
    value, *rest = arity(node, scope, 1, 2)
    step = rest[0] if rest else Const("long", 1)
    # The type of the size decides what a dynamic value is read as.
    if value.type == "dynamic":
        value = types.converted(value, "datetime" if step.type == "timespan" else "real")
    if value.type == "datetime":
        step = types.coerce(step, "timespan", scope=scope, span=node.span)
        return Call("bin_datetime", (value, step), "datetime")
    # A timespan rounds to timespans only; numbers to numbers, whole ones without a detour over reals.
    if "timespan" in {value.type, step.type} and value.type != step.type:
        scope.fail(f"cannot round a {value.type} to a {step.type}", node.span)
    if value.type == step.type == "timespan" or {value.type, step.type} <= {"int", "long"}:
        return Call("bin_whole", (value, step), "timespan" if value.type == "timespan" else "long")
    value, step = (
        types.converted(types.coerce(x, "number", scope=scope, span=node.span), "real") for x in (value, step)
    )
    return Call("bin_number", (value, step), "real")


def _bin_at(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``bin_at(value, size, fixed_point)``: bins that are aligned at a point.

    https://learn.microsoft.com/kusto/query/bin-at-function
    """
    value, step, at = arity(node, scope, 3)
    if value.type == "datetime":
        step = types.coerce(step, "timespan", scope=scope, span=node.arguments[1].span)
        at = types.coerce(at, "datetime", scope=scope, span=node.arguments[2].span)
        return Call("bin_at_datetime", (value, step, at), "datetime")
    shifted = arithmetic("-", value, at, scope=scope, span=node.span)
    # A fraction as the size makes bins of reals, also of whole numbers.
    if step.type == "real" and shifted.type == "long":
        shifted = types.converted(shifted, "real")
    step = types.coerce(step, shifted.type, scope=scope, span=node.arguments[1].span)
    whole = shifted.type in {"long", "timespan"}
    binned = Call("bin_whole" if whole else "bin_number", (shifted, step), shifted.type)
    return arithmetic("+", binned, at, scope=scope, span=node.span)


def _abs(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``abs`` of a number or timespan."""
    value = types.coerce(arity(node, scope, 1)[0], "span", scope=scope, span=node.span)
    value = types.converted(value, "long") if value.type == "int" else value
    return Call("abs", (value,), value.type)


def _rand(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``rand()``, a real from 0 to 1, or ``rand(n)``, a whole number from 0 to n - 1."""
    values = arity(node, scope, 0, 1)
    below = types.coerce(values[0] if values else Const("long", None), "long", scope=scope, span=node.span)
    return Call("rand_below" if values else "rand", (below,), "real")


def _percentile_tdigest(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``percentile_tdigest(digest, percentage, typeof(…))``.

    A digest is here the list of all values, numbers or texts of datetimes.
    https://learn.microsoft.com/kusto/query/percentile-tdigest-function
    """
    values = arity(node, scope, 2, 3) if len(node.arguments) < 3 else scope.scalars(node.arguments[:2])
    digest = types.coerce(values[0], "dynamic", scope=scope, span=node.arguments[0].span)
    share = types.coerce(values[1], "real", scope=scope, span=node.arguments[1].span)
    kind = type_literal(node.arguments[2], scope) if len(node.arguments) > 2 else "real"
    if kind == "datetime":
        return types.converted(Call("percentile_of_texts", (digest, share), "dynamic"), kind)
    if kind not in types.NUMBERS:
        scope.fail(f"not supported: percentile_tdigest of {kind}", node.arguments[2].span)
    return types.converted(Call("percentile_of_numbers", (digest, share), "real"), kind)


def _around(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``around(value, centre, distance)``: both ends included."""
    value, centre, distance = arity(node, scope, 3)
    low = arithmetic("-", centre, distance, scope=scope, span=node.span)
    high = arithmetic("+", centre, distance, scope=scope, span=node.span)
    inside = (
        compared(">=", value, low, scope=scope, span=node.span),
        compared("<=", value, high, scope=scope, span=node.span),
    )
    return Call("and", inside, "bool")


SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {
    "bin": _bin,
    "bin_at": _bin_at,
    "abs": _abs,
    "rand": _rand,
    "around": _around,
    "percentile_tdigest": _percentile_tdigest,
}
