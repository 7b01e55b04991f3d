"""Bind statements: let, declare query_parameters, set.

https://learn.microsoft.com/kusto/query/let-statement
"""

from __future__ import annotations

from collections.abc import Mapping

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Binding, Closure, Scope
from driftline.kql.plan.nodes import Shared

__all__ = ["bind_statements"]


def bind_statements(statements: tuple[syntax.Statement, ...], scope: Scope) -> Scope:
    """Return the scope with the names that the statements define, each in reach of those after it."""
    for statement in statements:
        if isinstance(statement, syntax.Let):
            scope = scope.with_names({statement.name: _let(statement, scope)})
        elif isinstance(statement, syntax.Declare):
            scope = scope.with_names(_defaults(statement, scope))
        elif isinstance(statement, syntax.Set) and statement.expression is not None:
            scope.session.properties[statement.name] = statement.expression
    return scope


def _let(statement: syntax.Let, scope: Scope) -> Binding:
    """Bind a let statement, whose expression is bound at its first use, or at once if it is ``materialize(…)``.

    ``materialize`` promises that the table is computed once, so its plan is shared by all uses.
    https://learn.microsoft.com/kusto/query/materialize-function
    """
    value = statement.value
    if isinstance(value, syntax.Call) and value.name == "materialize" and len(value.arguments) == 1:
        relation = scope.table(value.arguments[0])
        shared = Shared(scope.session.fresh(statement.name), relation.plan)
        return relation.over(shared)
    return Closure(value, scope.with_row(None))


def _defaults(statement: syntax.Declare, scope: Scope) -> Mapping[str, Binding]:
    """Bind the defaults of query parameters; the caller's values are in the scope already and win.

    https://learn.microsoft.com/kusto/query/query-parameters-statement
    """
    found: dict[str, Binding] = {}
    for parameter in statement.parameters:
        if parameter.name in scope.names:
            continue  # the caller gives a value
        if parameter.default is None:
            scope.fail(f"the parameter '{parameter.name}' has no value", parameter.span)
        found[parameter.name] = types.coerce(
            scope.scalar(parameter.default), parameter.type, scope=scope, span=parameter.span
        )
    return found
