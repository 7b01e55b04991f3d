"""Bind aggregates: functions over the rows of a group, in summarize, make-series, pivot, top-nested.

An expression such as ``sum(a) / count()`` is bound to a computation over columns of the group: each aggregate is
collected (``collected``) and the expression refers to its column.

https://learn.microsoft.com/kusto/query/aggregation-functions
"""

from __future__ import annotations

from driftline.kql import functions, syntax
from driftline.kql.bind.functions import windows
from driftline.kql.bind.functions.signatures import bind_call_to
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Col, Const, Key, Scalar
from driftline.kql.text import constants

__all__ = ["aggregate_call", "bind_aggregate", "collected"]

# https://learn.microsoft.com/kusto/query/make-list-aggregation-function
UNLIMITED = 1_048_576


def bind_aggregate(name: str, node: syntax.Call, scope: Scope) -> Scalar:
    """Bind an aggregate, a window function, or a function that is scalar for some arguments."""
    row = functions.AGGREGATES[name]
    if isinstance(row, functions.WindowFunction):
        return windows.WINDOWS[name](node, scope)
    # hll_merge(a, b) and tdigest_merge(a, b) merge columns of one row; with one argument, they merge rows.
    if row.across_columns and len(node.arguments) > 1:
        return scope.session.binder.functions[row.across_columns](node, scope)
    if row.each:
        return _percentiles(row, node, scope)
    if scope.grouped is None:
        scope.fail(
            f"'{node.name}' is an aggregate, which is only allowed in 'summarize' and similar operators", node.span
        )
    call = aggregate_call(name, node, scope)
    return collected(call, scope)


def collected(call: Scalar, scope: Scope) -> Scalar:
    """Add an aggregate to those that the group computes, and return a reference to its column."""
    column = scope.session.column("aggregate", call.type)
    scope.aggregates.append((column, call))
    value = Col(column.id, call.type)
    return Call("text_or_empty", (value,), "string") if call.type == "string" else value


def aggregate_call(name: str, node: syntax.Call, scope: Scope) -> Call:
    """Bind an aggregate over the rows of the group, without collecting it."""
    if name == "tdigest" and len(node.arguments) > 1:
        scope.fail("not supported: tdigest with weights; use percentilew", node.span)
    inner = scope.with_row(scope.grouped)
    values = inner.scalars(node.arguments)
    row = functions.AGGREGATES[name]
    if isinstance(row, functions.Aggregate) and row.gathers:
        return (_bag if row.gathers == "bag_json" else _list)(row, node, values, scope)
    if name == "count" and len(values) == 1:
        values = ()  # count(x) counts nulls, too
    if isinstance(row, functions.Aggregate) and row.of_measures and values and values[0].type not in MEASURES:
        scope.fail(f"expected numbers, datetimes or timespans in '{name}', got a {values[0].type}", node.span)
    return bind_call_to(row, node, values, scope)  # type: ignore[return-value]


def _bag(row: functions.Aggregate, node: syntax.Call, values: tuple[Scalar, ...], scope: Scope) -> Call:
    """Bind ``make_bag(bag, limit)`` or ``make_bag_if(bag, condition, limit)``: as many properties as the limit."""
    conditional = row.name.endswith("_if")
    if not 1 + conditional <= len(values) <= 2 + conditional:
        scope.fail(f"expected {row.signature}", node.span)
    bag = types.coerce(values[0], "dynamic", scope=scope, span=node.span)
    if conditional:
        condition = types.coerce(values[1], "bool", scope=scope, span=node.span)
        bag = Call("choose", (condition, bag, Const("dynamic", None)), "dynamic")
    limit = scope.scalar(node.arguments[-1]) if len(values) == 2 + conditional else Const("long", UNLIMITED)
    return Call("bag_json", (bag, types.coerce(limit, "long", scope=scope, span=node.span)), "dynamic")


def _percentiles(row: functions.Aggregate, node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``percentiles_array`` or ``percentilesw_array`` as an array of single percentiles."""
    given = len(row.parameters) - 1
    values = node.arguments[:given]
    percents = _listed(node.arguments[given:], scope)
    singles = [syntax.Call(row.each, (*values, percent), span=node.span) for percent in percents]
    if not singles:
        scope.fail(f"expected {row.signature}", node.span)
    return Call("pack_array", tuple(types.converted(v, "dynamic") for v in scope.scalars(tuple(singles))), "dynamic")


def _listed(percents: tuple[syntax.Expr, ...], scope: Scope) -> tuple[syntax.Expr, ...]:
    """Return the percentages as single expressions; a query may also give them as one constant array."""
    values = scope.scalars(percents) if len(percents) == 1 else ()
    if not values or not isinstance(values[0], Const) or values[0].type != "dynamic" or values[0].value is None:
        return percents
    listed = constants.loads_array(values[0].value)
    return tuple(syntax.Literal("real", float(str(each)), span=percents[0].span) for each in listed)


MEASURES = frozenset(["int", "long", "real", "datetime", "timespan"])
PLAIN_ITEMS = frozenset(["string", "long", "int", "real", "bool"])  # whose arrays the engines write as JSON themselves


def _list(row: functions.Aggregate, node: syntax.Call, values: tuple[Scalar, ...], scope: Scope) -> Call:
    """Bind an aggregate that collects values: make_list, make_set, and the digests hll and tdigest.

    driftline computes digests exactly: hll is the set of values, tdigest the list of values.
    """
    conditional = row.name.endswith("_if")
    if not 1 + conditional <= len(values) <= 2 + conditional:
        scope.fail(f"expected {row.signature}", node.span)
    item = values[0] if values[0].type in PLAIN_ITEMS else types.converted(values[0], "dynamic")
    if conditional:
        condition = types.coerce(values[1], "bool", scope=scope, span=node.span)
        # A row that misses the condition gives no value, which the list leaves out.
        item = Call("choose", (condition, item, Call("no_value", (item,), item.type)), item.type)
    limit = values[1 + conditional] if len(values) > 1 + conditional else Const("long", UNLIMITED)
    if row.gathers_all:
        limit = Const("long", 2**62)
    function = row.gathers_dynamic if row.gathers_dynamic and item.type == "dynamic" else row.gathers
    order = scope.grouped.order if scope.grouped else ()
    # make_list over a serialized table keeps its order.
    if function == "list_json" and order:
        return Call("list_json_ordered", (item, types.converted(limit, "long"), *_ordering(order)), "dynamic")
    return Call(function, (item, types.converted(limit, "long")), "dynamic")


def _ordering(order: tuple[Key, ...]) -> tuple[Scalar, ...]:
    """Return the sort keys of a serialized table, as arguments of an aggregate that keeps the order."""
    return tuple(
        Call("ordered_down" if key.descending else "ordered_up", (key.value,), key.value.type) for key in order
    )
