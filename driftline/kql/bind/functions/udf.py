"""Bind functions that a library computes, whose arguments need more than a conversion."""

from __future__ import annotations

import functools

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Col, Const, Scalar
from driftline.kql.text import constants

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


AGENT_PARTS = ("browser", "os", "device")


def _user_agent(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``parse_user_agent(text, parts)``, whose parts are a constant text or array.

    https://learn.microsoft.com/kusto/query/parse-user-agent-function
    """
    text, parts = arity(node, scope, 2)
    text = types.coerce(text, "string", scope=scope, span=node.arguments[0].span)
    if not isinstance(parts, Const) or parts.type not in {"string", "dynamic"}:
        scope.fail("expected a constant text or array of 'browser', 'os' and 'device'", node.arguments[1].span)
    wanted = [parts.value] if parts.type == "string" else constants.loads_array(parts.value or "[]")
    for each in wanted:
        if each not in AGENT_PARTS:
            scope.fail(f"expected 'browser', 'os' or 'device', got '{each}'", node.arguments[1].span)
    return Call("parse_user_agent", (text, Const("string", constants.dumps(wanted))), "dynamic")


SIZES = {"bool": 1, "int": 4, "long": 8, "real": 8, "datetime": 8, "timespan": 8, "guid": 16, "decimal": 16}
"""Bytes of a value of each type of a fixed size."""


def _data_size(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``estimate_data_size(columns)``: texts and JSON count by their bytes, other values by their type.

    https://learn.microsoft.com/kusto/query/estimate-data-size-function
    """
    values: list[Scalar] = []
    for argument in node.arguments:
        if isinstance(argument, syntax.Star):
            values += [Col(column.id, column.type) for column in scope.columns()]
        else:
            values.append(scope.scalar(argument))
    if not values:
        scope.fail("expected columns, or '*'", node.span)
    total: Scalar = Const("long", sum(SIZES.get(value.type, 0) for value in values))
    texts = [types.converted(value, "string") for value in values if value.type not in SIZES]
    sizes: list[Scalar] = [Call("string_size", (text,), "long") for text in texts]
    return functools.reduce(lambda one, other: Call("+", (one, other), "long"), sizes, total)


SPECIAL = {
    "parse_user_agent": _user_agent,
    "estimate_data_size": _data_size,
    "hash": _hash,
    "hash_xxhash64": _hash,
    "series_periods_validate": _validate,
    "series_fit_poly": _fit_poly,
    "geo_point_in_circle": _in_circle,
}
