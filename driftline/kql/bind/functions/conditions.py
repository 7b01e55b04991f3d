"""Choices between values: iff, case, coalesce, column_ifexists.

https://learn.microsoft.com/kusto/query/scalar-functions#conditional-functions
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity, constant
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Col, Scalar

__all__ = ["SPECIAL"]


def _iff(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``iff(condition, then, else)``."""
    condition, *values = arity(node, scope, 3)
    condition = types.coerce(condition, "bool", scope=scope, span=node.arguments[0].span)
    kind, values_of = types.common(values, scope=scope, span=node.span, dynamic=False)
    return Call("choose", (condition, *values_of), kind)


def _case(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``case(condition, value, …, default)`` as nested choices."""
    values = scope.scalars(node.arguments)
    if len(values) < 3 or len(values) % 2 == 0:
        scope.fail("expected case(condition, value, …, default)", node.span)
    kind, results = types.common([*values[1::2], values[-1]], scope=scope, span=node.span, dynamic=False)
    conditions = [types.coerce(c, "bool", scope=scope, span=node.span) for c in values[:-1:2]]
    # From the last pair to the first, so that the first condition that holds decides.
    chosen = results[-1]
    for condition, value in zip(reversed(conditions), reversed(results[:-1]), strict=True):
        chosen = Call("choose", (condition, value, chosen), kind)
    return chosen


def _coalesce(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``coalesce(values)``: the first that is not null or, of strings, not empty."""
    kind, values = types.common(scope.scalars(node.arguments), scope=scope, span=node.span)
    return Call("coalesce_text" if kind == "string" else "coalesce_null", values, kind)


def _column_ifexists(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``column_ifexists(name, default)``: the column if the table has it, otherwise the default.

    Without an operator's row, as in a let statement, there are no columns and the default is taken.
    """
    if len(node.arguments) != 2:
        scope.fail("expected column_ifexists(name, default)", node.span)
    name = str(constant(node.arguments[0], scope, "string"))
    column = scope.column(name)
    return Col(column.id, column.type) if column else scope.scalar(node.arguments[1])


SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {
    "iff": _iff,
    "case": _case,
    "coalesce": _coalesce,
    "column_ifexists": _column_ifexists,
    "columnifexists": _column_ifexists,
}
