"""Bind invoke: a function of the query applied to a table.

https://learn.microsoft.com/kusto/query/invoke-operator
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import functions, syntax
from driftline.kql.bind.scope import Closure, Relation, Scope
from driftline.kql.bind.tables import file_profile
from driftline.kql.text.problems import suggestion

__all__ = ["OPERATORS"]


def bind_invoke(node: syntax.Invoke, relation: Relation, scope: Scope) -> Relation:
    """Bind invoke: the table so far becomes the first argument of a tabular function."""
    closure = scope.names.get(node.call.name)
    # A function of the query hides a built-in one of the same name.
    if closure is None and node.call.name in file_profile.FUNCTIONS:
        return file_profile.FUNCTIONS[node.call.name](node, relation, scope)
    if closure is None and node.call.name in functions.REFUSED:
        scope.fail(f"not supported: '{node.call.name}': {functions.REFUSED[node.call.name]}", node.span)
    if not isinstance(closure, Closure) or not isinstance(closure.value, syntax.Function):
        scope.fail(
            f"unknown function '{node.call.name}'{suggestion(node.call.name, [*scope.names, *file_profile.FUNCTIONS])}",
            node.span,
        )
    # No query can use this name, so it hides nothing.
    inner = scope.with_row(None).with_names({"$invoked": relation})
    call = syntax.Call(node.call.name, (syntax.Name("$invoked", span=node.span), *node.call.arguments), span=node.span)
    return inner.table(call)


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Invoke: bind_invoke}
