"""Aggregates: what ``summarize`` and its like compute over the rows of a group."""

from __future__ import annotations

from driftline.kql import functions, syntax
from driftline.kql.bind import types, windows
from driftline.kql.bind.dispatch import bind_each
from driftline.kql.bind.invocation import bind_call_to
from driftline.kql.bind.scope import Scope
from driftline.kql.plan import Call, Col, Const, Key, Scalar

__all__ = ["aggregate_call", "bind_aggregate", "collected"]

UNLIMITED = 1_048_576  # Kusto's own limit of make_list and make_set


def bind_aggregate(name: str, node: syntax.Call, scope: Scope) -> Scalar:
    """Bind an aggregate or a window function."""
    if name in functions.WINDOWS:
        return windows.WINDOWS[name](node, scope)
    if scope.grouped is None:
        scope.fail(f"'{node.name}' is an aggregate; it has a meaning only in 'summarize' and its like", node.span)
    call = aggregate_call(name, node, scope)
    return collected(call, scope)


def collected(call: Scalar, scope: Scope) -> Scalar:
    """Let the group compute an aggregate, and refer to its column."""
    column = scope.session.column("aggregate", call.type)
    scope.aggregates.append((column, call))
    value = Col(column.id, call.type)
    return Call("text_or_empty", (value,), "string") if call.type == "string" else value


def aggregate_call(name: str, node: syntax.Call, scope: Scope) -> Call:
    """Bind an aggregate over the rows of the group, uncollected."""
    inner = scope.with_row(scope.grouped)
    values = bind_each(node.arguments, inner)
    if name in LISTS:
        return _list(name, node, values, scope)
    row = functions.AGGREGATES[name]
    if name == "make_bag":
        return Call("bag_json", (types.coerce(values[0], "dynamic", scope=scope, span=node.span),), "dynamic")
    return bind_call_to(row, node, values, scope)  # type: ignore[return-value]


PLAIN_ITEMS = frozenset(["string", "long", "int", "real", "bool"])  # whose arrays the engines write as JSON themselves
LISTS = {"make_list": "list_json", "make_set": "set_json", "make_list_if": "list_json", "make_set_if": "set_json"}


def _list(name: str, node: syntax.Call, values: tuple[Scalar, ...], scope: Scope) -> Call:
    conditional = name.endswith("_if")
    if not 1 + conditional <= len(values) <= 2 + conditional:
        scope.fail(f"expected {functions.AGGREGATES[name].signature}", node.span)
    item = values[0] if values[0].type in PLAIN_ITEMS else types.converted(values[0], "dynamic")
    if conditional:
        condition = types.coerce(values[1], "bool", scope=scope, span=node.span)
        item = Call("choose", (condition, item, Call("no_value", (item,), item.type)), item.type)
    limit = values[1 + conditional] if len(values) > 1 + conditional else Const("long", UNLIMITED)
    function = LISTS[name]
    order = scope.grouped.order if scope.grouped else ()
    if function == "list_json" and order:
        return Call("list_json_ordered", (item, types.converted(limit, "long"), *_ordering(order)), "dynamic")
    return Call(function, (item, types.converted(limit, "long")), "dynamic")


def _ordering(order: tuple[Key, ...]) -> tuple[Scalar, ...]:
    return tuple(
        Call("ordered_down" if key.descending else "ordered_up", (key.value,), key.value.type) for key in order
    )
