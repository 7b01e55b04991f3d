"""Bind operators that hold pipelines: partition, invoke."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind import scalars, tables, types
from driftline.kql.bind.operators.common import kept, projected, ref
from driftline.kql.bind.operators.order import sort_keys
from driftline.kql.bind.scope import Closure, Relation, Scope
from driftline.kql.plan import (
    Call,
    Filter,
    Window,
)
from driftline.kql.problems import suggestion

__all__ = ["OPERATORS"]


def bind_render(_: syntax.Render, relation: Relation, __: Scope) -> Relation:
    return relation


def bind_invoke(node: syntax.Invoke, relation: Relation, scope: Scope) -> Relation:
    closure = scope.names.get(node.call.name)
    if not isinstance(closure, Closure) or not isinstance(closure.value, syntax.Function):
        scope.fail(f"unknown function '{node.call.name}'{suggestion(node.call.name, scope.names)}", node.span)
    inner = scope.with_row(None).with_names({"$invoked": relation})
    call = syntax.Call(node.call.name, (syntax.Name("$invoked", span=node.span), *node.call.arguments), span=node.span)
    return tables.bind_table(call, inner)


def bind_partition(node: syntax.Partition, relation: Relation, scope: Scope) -> Relation:
    """Partition where each body is a top or a take: rows numbered within each partition."""
    first, *rest = node.body
    if not isinstance(first, (syntax.Top, syntax.Limit)) or (isinstance(first, syntax.Limit) and first.op != "take"):
        scope.fail("not supported: partition with a body that does not begin with 'top' or 'take'", node.span)
    key = scalars.bind_scalar(node.column, scope)
    widened, keys = (
        sort_keys(first.keys, relation, scope) if isinstance(first, syntax.Top) else (relation, relation.order)
    )
    count = types.coerce(scalars.bind_scalar(first.count, scope.with_row(None)), "long", scope=scope, span=first.span)
    number = scope.session.hidden("long")
    numbered = projected(
        widened, [*kept(widened.plan.columns), (number, Window(Call("number_row", (), "long"), keys, (key,)))]
    )
    limited = Relation(Filter(numbered.plan, Call("<=", (ref(number), count), "bool")))
    if any(
        not isinstance(operator, (syntax.Columns, syntax.Where)) or getattr(operator, "op", "") == "distinct"
        for operator in rest
    ):
        scope.fail("not supported: partition with more than row-wise operators after its 'top'", node.span)
    return tables.apply(tuple(rest), limited, scope)


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Render: bind_render,
    syntax.Invoke: bind_invoke,
    syntax.Partition: bind_partition,
}
