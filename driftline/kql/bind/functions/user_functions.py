"""Bind calls of functions that the query itself, or the caller's library, defines.

https://learn.microsoft.com/kusto/query/functions/user-defined-functions
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Binding, Closure, Scope
from driftline.kql.bind.statements import bind_statements

__all__ = ["entered"]

# Guards against functions that call each other without end.
DEEPEST_CALLS = 20


@contextlib.contextmanager
def entered(node: syntax.Call, closure: Closure, scope: Scope) -> Iterator[tuple[Scope, syntax.Expr]]:
    """Bind the arguments of a call to the parameters of a user-defined function, whose body the block binds.

    Gives the scope within the function, with its statements bound, and its body. The body sees the scope in which
    the function was defined, not the caller's row.
    """
    function = closure.value
    assert isinstance(function, syntax.Function)
    bound = _arguments(function, node, scope)
    calls = scope.session.calls
    if len(calls) == DEEPEST_CALLS:
        scope.fail(f"not supported: function calls deeper than {DEEPEST_CALLS}", node.span)
    calls.append(node.span)
    try:
        yield bind_statements(function.statements, closure.scope.with_row(None).with_names(bound)), function.body
    finally:
        calls.pop()


def _arguments(function: syntax.Function, node: syntax.Call, scope: Scope) -> dict[str, Binding]:
    """Bind arguments to parameters: by name, then by position, then by default."""
    # Named arguments first; the rest fill the remaining parameters in order.
    named = {a.names[0]: a.value for a in node.arguments if isinstance(a, syntax.Named) and a.names}
    plain = [a for a in node.arguments if not isinstance(a, syntax.Named)]
    if len(node.arguments) > len(function.parameters):
        scope.fail(f"'{node.name}' takes {len(function.parameters)} arguments, got {len(node.arguments)}", node.span)
    for unknown in named.keys() - {parameter.name for parameter in function.parameters}:
        scope.fail(f"'{node.name}' has no parameter '{unknown}'", node.span)
    bound: dict[str, Binding] = {}
    rest = iter(plain)
    for parameter in function.parameters:
        given = named[parameter.name] if parameter.name in named else next(rest, parameter.default)
        if given is None:
            scope.fail(f"'{node.name}' needs a value for '{parameter.name}'", node.span)
        bound[parameter.name] = _argument(parameter, given, scope)
    return bound


def _argument(parameter: syntax.FunctionParameter, given: syntax.Expr, scope: Scope) -> Binding:
    """Bind one argument: a value converted to the parameter's type, or a table with the parameter's columns."""
    if parameter.columns is None:
        return types.coerce(scope.scalar(given), parameter.type, scope=scope, span=given.span)
    relation = scope.with_row(None).table(given)
    have = {column.name: column.type for column in relation.columns}
    for column in parameter.columns:
        if have.get(column.name) != column.type:
            scope.fail(f"'{parameter.name}' needs a column {column.name}: {column.type}", given.span)
    return relation
