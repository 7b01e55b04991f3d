"""Bind operators that hold pipelines: partition, invoke."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from driftline.kql import functions, syntax
from driftline.kql.bind.operators import file_profile
from driftline.kql.bind.scope import Closure, Relation, Scope
from driftline.kql.bind.tables import sources
from driftline.kql.bind.tables.outputs import kept, projected, ref
from driftline.kql.text.problems import suggestion

__all__ = ["OPERATORS"]


def bind_render(_: syntax.Render, relation: Relation, __: Scope) -> Relation:
    return relation


def bind_invoke(node: syntax.Invoke, relation: Relation, scope: Scope) -> Relation:
    closure = scope.names.get(node.call.name)
    if closure is None and node.call.name in file_profile.FUNCTIONS:
        return file_profile.FUNCTIONS[node.call.name](node, relation, scope)
    if closure is None and node.call.name in functions.REFUSED:
        scope.fail(f"not supported: '{node.call.name}': {functions.REFUSED[node.call.name]}", node.span)
    if not isinstance(closure, Closure) or not isinstance(closure.value, syntax.Function):
        scope.fail(
            f"unknown function '{node.call.name}'{suggestion(node.call.name, [*scope.names, *file_profile.FUNCTIONS])}",
            node.span,
        )
    inner = scope.with_row(None).with_names({"$invoked": relation})
    call = syntax.Call(node.call.name, (syntax.Name("$invoked", span=node.span), *node.call.arguments), span=node.span)
    return inner.table(call)


def bind_partition(node: syntax.Partition, relation: Relation, scope: Scope) -> Relation:
    """Run the body on the rows of each value of a column; hints on how to do so change nothing."""
    key = scope.scalar(node.column)
    part = scope.session.hidden(key.type)
    parted = projected(relation, [*kept(relation.columns), (part, key)])
    parts = dataclasses.replace(parted, partition=(*relation.partition, ref(part)))
    return dataclasses.replace(sources.apply(node.body, parts, scope.with_row(None)), partition=relation.partition)


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Render: bind_render,
    syntax.Invoke: bind_invoke,
    syntax.Partition: bind_partition,
}
