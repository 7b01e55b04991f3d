"""Bind functions of IP addresses that take several networks, or an address as a number.

https://learn.microsoft.com/kusto/query/scalar-functions#ipv4ipv6-functions
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar
from driftline.kql.text import constants

__all__ = ["SPECIAL"]


def _any(name: str) -> Callable[[syntax.Call, Scope], Scalar]:
    """Return the binder of ``f(address, networks…)``: the function ``name`` holds for some network.

    Networks are strings and arrays of strings.
    """

    def bind(node: syntax.Call, scope: Scope) -> Scalar:
        values = scope.scalars(node.arguments)
        if len(values) < 2:
            scope.fail(f"expected at least 2 arguments in '{node.name}', got {len(values)}", node.span)
        first = types.coerce(values[0], "text", scope=scope, span=node.arguments[0].span)
        places = zip(values[1:], node.arguments[1:], strict=True)
        found = tuple(test for value, place in places for test in _tests(name, (first, value), place, scope))
        return Call("or", found, "bool") if found else Const("bool", False)

    return bind


def _tests(name: str, values: tuple[Scalar, Scalar], place: syntax.Expr, scope: Scope) -> list[Scalar]:
    """Return the conditions of one argument: one for a string, one for each element of a constant array."""
    first, value = values
    if value.type != "dynamic":
        return [Call(name, (first, types.coerce(value, "string", scope=scope, span=place.span)), "bool")]
    if not isinstance(value, Const):
        return [Call(f"{name}_each", (first, value), "bool")]
    # Constant networks become conditions of their own, which the engine can compute once.
    items = constants.loads_array(value.value) if value.value is not None else []
    return [Call(name, (first, Const("string", item)), "bool") for item in items if isinstance(item, str)]


def _format(name: str) -> Callable[[syntax.Call, Scope], Scalar]:
    """Return the binder of ``format_ipv4`` or ``format_ipv4_mask``: ``(address, prefix)``.

    The address is a text, or a number that is written as a text first.
    """

    def bind(node: syntax.Call, scope: Scope) -> Scalar:
        values = arity(node, scope, 1, 2)
        address = values[0]
        if address.type in {"int", "long"}:
            address = Call("ipv4_of_number", (types.converted(address, "long"),), "string")
        address = types.coerce(address, "string", scope=scope, span=node.arguments[0].span)
        bits = types.converted(values[1], "long") if len(values) > 1 else Const("long", None)
        return Call(name, (address, bits), "string")

    return bind


SPECIAL = {
    "ipv4_is_in_any_range": _any("ipv4_is_in_range"),
    "ipv6_is_in_any_range": _any("ipv6_is_in_range"),
    "has_any_ipv4": _any("has_ipv4"),
    "has_any_ipv4_prefix": _any("has_ipv4_prefix"),
    "format_ipv4": _format("format_ipv4_text"),
    "format_ipv4_mask": _format("format_ipv4_text_mask"),
}
