"""Window functions: values of other rows, in the order of a serialized table."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind import types
from driftline.kql.bind.arguments import arity
from driftline.kql.bind.arithmetic import arithmetic
from driftline.kql.bind.scope import Scope
from driftline.kql.plan import Call, Const, Key, Scalar, Window

__all__ = ["WINDOWS"]


def _serialized(node: syntax.Call, scope: Scope) -> tuple[Key, ...]:
    if scope.relation is None or not scope.relation.serialized:
        scope.fail(f"'{node.name}' needs rows in an order; put 'sort by' or 'serialize' before", node.span)
    return scope.relation.order


def _row_number(node: syntax.Call, scope: Scope) -> Scalar:
    values = arity(node, scope, 0, 1, 2)
    keys = _serialized(node, scope)
    if len(values) == 2:
        scope.fail("not supported: row_number that restarts; use 'partition by'", node.span)
    number = Window(Call("number_row", (), "long"), keys)
    if not values:
        return number
    first = arithmetic("-", values[0], Const("long", 1), scope=scope, span=node.span)
    return Call("+", (number, first), "long")


def _shifted(function: str) -> Callable[[syntax.Call, Scope], Scalar]:
    def bind(node: syntax.Call, scope: Scope) -> Scalar:
        values = arity(node, scope, 1, 2, 3)
        offset = values[1] if len(values) > 1 else Const("long", 1)
        empty = "" if values[0].type == "string" else None
        default = types.converted(values[2], values[0].type) if len(values) > 2 else Const(values[0].type, empty)
        return Window(Call(function, (values[0], offset, default), values[0].type), _serialized(node, scope))

    return bind


def _row_cumsum(node: syntax.Call, scope: Scope) -> Scalar:
    values = arity(node, scope, 1, 2)
    if len(values) == 2:
        scope.fail("not supported: row_cumsum that restarts; use 'partition by'", node.span)
    value = types.coerce(values[0], "span", scope=scope, span=node.span)
    kind = "long" if value.type == "int" else value.type
    summed = Window(Call("running_sum", (value,), kind), _serialized(node, scope), running=True)
    return summed if kind == "real" else Call("whole_to_long", (summed,), kind)


WINDOWS = {"row_number": _row_number, "prev": _shifted("lag"), "next": _shifted("lead"), "row_cumsum": _row_cumsum}
