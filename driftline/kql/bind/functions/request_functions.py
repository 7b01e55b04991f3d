"""Functions that depend on the request: bin_auto reads its properties, assert ends it."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scope import Scope
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Const, Project, Scalar, Values

__all__ = ["SPECIAL"]


def _bin_auto(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``bin_auto(value)``: bins of the size, and at the point, that ``set`` statements give.

    https://learn.microsoft.com/kusto/query/bin-auto-function
    """
    if len(node.arguments) != 1:
        scope.fail(f"expected bin_auto(value), got {len(node.arguments)} arguments", node.span)
    size, point = (scope.session.properties.get(f"query_bin_auto_{each}") for each in ("size", "at"))
    if size is None:
        scope.fail("'bin_auto' needs a size: set query_bin_auto_size = 1h;", node.span)
    name, given = ("bin", (size,)) if point is None else ("bin_at", (size, point))
    return scope.session.binder.functions[name](syntax.Call(name, (*node.arguments, *given), span=node.span), scope)


def _assert(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``assert(condition, message)``: refuse the whole query if the condition is false or null.

    The condition is computed while the query is bound, so it cannot depend on rows.
    https://learn.microsoft.com/kusto/query/assert-function
    """
    condition, message = arity(node, scope, 2)
    condition = types.coerce(condition, "bool", scope=scope, span=node.arguments[0].span)
    if not isinstance(message, Const) or message.type != "string":
        scope.fail("expected a constant string", node.arguments[1].span)
    if walk.columns_of(condition):
        scope.fail("expected a condition that is the same for all rows", node.arguments[0].span)
    if not _holds(condition, node, scope):
        scope.fail(f"assert() has failed with message: '{message.value}'", node.span)
    return Const("bool", True)


def _holds(condition: Scalar, node: syntax.Call, scope: Scope) -> bool:
    """Whether the condition is true; a condition that is no constant is computed by a query of one row."""
    if isinstance(condition, Const):
        return bool(condition.value)
    if scope.session.discover is None:
        scope.fail("not supported here: assert of a condition that must be computed", node.span)
    row, met = scope.session.hidden("long"), scope.session.column("met", "bool")
    answer = scope.session.discover(Project(Values((row,), ((Const("long", 0),),)), (met,), (condition,)))
    return bool(answer[0][0])


SPECIAL = {"bin_auto": _bin_auto, "assert": _assert}
