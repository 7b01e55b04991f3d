"""Address functions: of several blocks, and of numbers as well as texts."""

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
    """Make the disjunction of a function over its further arguments, texts and arrays."""

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
    first, value = values
    if value.type != "dynamic":
        return [Call(name, (first, types.coerce(value, "string", scope=scope, span=place.span)), "bool")]
    if not isinstance(value, Const):
        return [Call(f"{name}_each", (first, value), "bool")]
    items = constants.loads_array(value.value) if value.value is not None else []
    return [Call(name, (first, Const("string", item)), "bool") for item in items if isinstance(item, str)]


# A number is written as an address first.
def _format(name: str) -> Callable[[syntax.Call, Scope], Scalar]:
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
