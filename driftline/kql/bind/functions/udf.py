"""Bind functions that a library computes, whose arguments need more than a conversion."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar

__all__ = ["SPECIAL"]

HASHED = frozenset(["int", "long", "bool", "datetime", "timespan"])


def _hash(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``hash(value, modulo)``: xxhash64 of the text or of the number's 8 bytes.

    https://learn.microsoft.com/kusto/query/hash-function
    """
    value, *modulo = arity(node, scope, 1, 2)
    if value.type == "string":
        found: Scalar = Call("hash_text", (value,), "long")
    elif value.type in HASHED:
        found = Call("hash_whole", (Call("ticks_of", (value,), "long"),), "long")
    else:
        scope.fail(f"not supported: the hash of a {value.type}; turn it into a string", node.arguments[0].span)
    if not modulo:
        return found
    by = types.coerce(modulo[0], "long", scope=scope, span=node.arguments[1].span)
    return Call("unsigned_remainder", (found, by), "long")


def _validate(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``series_periods_validate(series, periods)`` with up to 16 periods."""
    series, *lengths = arity(node, scope, *range(2, 18))
    series = types.coerce(series, "dynamic", scope=scope, span=node.arguments[0].span)
    items = tuple(types.converted(length, "dynamic") for length in lengths)
    return Call("series_periods_of", (series, Call("pack_array", items, "dynamic")), "dynamic")


def _fit_poly(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``series_fit_poly(y, degree)`` or ``series_fit_poly(y, x, degree)``; the degree is 5 by default.

    https://learn.microsoft.com/kusto/query/series-fit-poly-function
    """
    y, *rest = arity(node, scope, 1, 2, 3)
    degree = rest.pop() if rest and rest[-1].type in types.NUMBERS else Const("long", 5)
    x = rest[0] if rest else Const("dynamic", None)
    given = [types.coerce(each, "dynamic", scope=scope, span=node.span) for each in (y, x)]
    return Call("series_fit_poly_of", (*given, types.converted(degree, "long")), "dynamic")


def _in_circle(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``geo_point_in_circle(longitude, latitude, centre longitude, centre latitude, metres)``."""
    *points, radius = (
        types.coerce(value, "real", scope=scope, span=argument.span)
        for value, argument in zip(arity(node, scope, 5), node.arguments, strict=True)
    )
    return Call("<=", (Call("geo_distance_2points", tuple(points), "real"), radius), "bool")


SPECIAL = {
    "hash": _hash,
    "hash_xxhash64": _hash,
    "series_periods_validate": _validate,
    "series_fit_poly": _fit_poly,
    "geo_point_in_circle": _in_circle,
}
