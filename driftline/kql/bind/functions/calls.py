"""Bind a call: find out what kind of function its name is.

https://learn.microsoft.com/kusto/query/functions/
"""

from __future__ import annotations

import dataclasses
from typing import NoReturn

from driftline.kql import functions, syntax
from driftline.kql.bind.functions.aggregates import bind_aggregate
from driftline.kql.bind.functions.signatures import bind_call_to
from driftline.kql.bind.functions.user_functions import entered
from driftline.kql.bind.scalars.tabular import is_tabular
from driftline.kql.bind.scope import Closure, Scope, single_column
from driftline.kql.plan.nodes import Call, Col, Scalar, Subquery
from driftline.kql.text import hints
from driftline.kql.text.hints import instead
from driftline.kql.text.problems import Span

__all__ = ["bind_call"]


def bind_call(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind a call: of a user-defined function, ``toscalar``, an aggregate, or a scalar function.

    A user-defined function hides a built-in one of the same name. The arguments of a built-in function count by
    their places: a name before one (``round(number=x)``) only names the column of an aggregate's result.
    """
    # The order decides what hides what: the query's own functions come first, and a binder of its own comes before
    # the row of the function table, which then only documents the function.
    name = functions.ALIASES.get(node.name, node.name)
    binding = scope.names.get(node.name)
    if isinstance(binding, Closure) and isinstance(binding.value, syntax.Function):
        return _bind_user_function(node, binding, scope)
    node = dataclasses.replace(node, arguments=tuple(map(_without_name, node.arguments)))
    if name == "toscalar":
        return _bind_toscalar(node, scope)
    if name in functions.AGGREGATES:
        return bind_aggregate(name, node, scope)
    if name in scope.session.binder.functions:
        return scope.session.binder.functions[name](node, scope)
    # Rows without a description are the compiler's own helpers, which a query cannot call.
    row = functions.FUNCTIONS.get(name)
    if row is None or not row.doc:
        _unknown_function(node, scope)
    if any(isinstance(argument, syntax.Star) for argument in node.arguments):
        scope.fail(f"expected plain values in '{node.name}'", node.span)
    return bind_call_to(row, node, scope.scalars(node.arguments), scope)


def _without_name(argument: syntax.Expr) -> syntax.Expr:
    return argument.value if isinstance(argument, syntax.Named) else argument


def _unknown_function(node: syntax.Call, scope: Scope) -> NoReturn:
    """Note an unknown function, with the reason if it is refused, or else with a similar name."""
    reason = functions.REFUSED.get(node.name)
    if reason:
        scope.fail(f"not supported: the function '{node.name}': {reason}", Span(node.span.offset, len(node.name)))
    rows = {**functions.FUNCTIONS, **functions.AGGREGATES}
    known = [*(name for name, row in rows.items() if row.doc), *functions.ALIASES, *scope.names, "toscalar"]
    hint = instead(node.name, hints.FUNCTIONS, known)
    scope.fail(f"unknown function '{node.name}'{hint}", Span(node.span.offset, len(node.name)))


def _bind_user_function(node: syntax.Call, closure: Closure, scope: Scope) -> Scalar:
    """Bind a call of a user-defined function that returns a value."""
    with entered(node, closure, scope) as (inner, body):
        return inner.scalar(body)


def _bind_toscalar(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``toscalar(table)``: the first column of the first row, as a subquery; a value stays as it is.

    https://learn.microsoft.com/kusto/query/toscalar-function
    """
    if len(node.arguments) != 1:
        scope.fail("expected toscalar(table)", node.span)
    (argument,) = node.arguments
    value = scope.names.get(argument.name) if isinstance(argument, syntax.Name) else None
    # The key of ``partition by key {…}``: the argument does not see the columns of the row.
    if isinstance(value, Col):
        return value
    if not is_tabular(node.arguments[0], scope):
        return scope.scalar(node.arguments[0])
    relation = scope.with_row(None).table(node.arguments[0])
    if not relation.columns:
        scope.fail("this table has no columns", node.span)
    column = relation.columns[0]
    made = scope.session.column(column.name, column.type)
    plan = single_column(relation, made, Col(column.id, column.type))
    value = Subquery(plan, column.type)
    # A table without rows gives null, but a Kusto string is never null.
    return Call("text_or_empty", (value,), "string") if column.type == "string" else value
