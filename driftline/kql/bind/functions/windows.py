"""Bind window functions: values that depend on other rows of a serialized table.

A restart argument begins a new stretch of rows. SQL has no such thing: the stretches are numbered by a running
sum of the restarts, and the number partitions the window.

https://learn.microsoft.com/kusto/query/window-functions
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scalars.arithmetic import arithmetic
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Key, Scalar, Window

__all__ = ["WINDOWS"]


def _window(
    call: Call, node: syntax.Call, scope: Scope, *, restart: Scalar | None = None, running: bool = False
) -> Window:
    """Make a window over all rows, or over the rows of one stretch; ``running`` ends it at the current row."""
    relation = scope.relation
    # https://learn.microsoft.com/kusto/query/window-functions: only over a serialized row set.
    if relation is None or not relation.serialized:
        scope.fail(f"'{node.name}' needs rows in an order; put 'sort by' or 'serialize' before", node.span)
    whole = Window(call, relation.order, relation.partition, running)
    return whole if restart is None else dataclasses.replace(whole, partition=(*whole.partition, restart))


def _restarts(values: Sequence[Scalar], place: int, node: syntax.Call, scope: Scope) -> Scalar | None:
    """Number the stretches of rows, if the argument at ``place`` tells where they begin; otherwise ``None``."""
    if len(values) <= place:
        return None
    when = types.coerce(values[place], "bool", scope=scope, span=node.arguments[place].span)
    return _counted(when, node, scope)


def _counted(when: Scalar, node: syntax.Call, scope: Scope, *, restart: Scalar | None = None) -> Scalar:
    """Count the rows so far that meet a condition."""
    one = Call("choose", (when, Const("long", 1), Const("long", 0)), "long")
    return _sum(one, node, scope, restart=restart)


def _sum(value: Scalar, node: syntax.Call, scope: Scope, *, restart: Scalar | None) -> Scalar:
    """Make a running sum; sums of whole numbers are converted back from the engine's wider type."""
    summed = _window(Call("running_sum", (value,), value.type), node, scope, restart=restart, running=True)
    return summed if value.type == "real" else Call("whole_to_long", (summed,), value.type)


def _row_number(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``row_number(start, restart)``; the start is 1 by default.

    https://learn.microsoft.com/kusto/query/row-number-function
    """
    values = arity(node, scope, 0, 1, 2)
    number = _number(node, scope, restart=_restarts(values, 1, node, scope))
    if not values:
        return number
    # The engine counts from 1; any other start is added.
    first = arithmetic("-", values[0], Const("long", 1), scope=scope, span=node.span)
    return Call("+", (number, first), "long")


def _number(node: syntax.Call, scope: Scope, *, restart: Scalar | None) -> Window:
    """Number the rows from 1."""
    return _window(Call("number_row", (), "long"), node, scope, restart=restart)


def _shifted(function: str) -> Callable[[syntax.Call, Scope], Scalar]:
    """Return the binder of ``prev`` or ``next``: ``(value, offset, default)``.

    https://learn.microsoft.com/kusto/query/prev-function
    """

    def bind(node: syntax.Call, scope: Scope) -> Scalar:
        values = arity(node, scope, 1, 2, 3)
        offset = values[1] if len(values) > 1 else Const("long", 1)
        empty = "" if values[0].type == "string" else None
        default = types.converted(values[2], values[0].type) if len(values) > 2 else Const(values[0].type, empty)
        return _window(Call(function, (values[0], offset, default), values[0].type), node, scope)

    return bind


def _row_cumsum(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``row_cumsum(term, restart)``.

    https://learn.microsoft.com/kusto/query/row-cumsum-function
    """
    values = arity(node, scope, 1, 2)
    value = types.coerce(values[0], "span", scope=scope, span=node.span)
    value = types.converted(value, "long") if value.type == "int" else value
    return _sum(value, node, scope, restart=_restarts(values, 1, node, scope))


def _rank(node: syntax.Call, scope: Scope) -> tuple[Scalar, Scalar, Scalar | None]:
    """Return whether the term differs from the row before, the row's number, and the number of its stretch."""
    values = arity(node, scope, 1, 2)
    restart = _restarts(values, 1, node, scope)
    number = _number(node, scope, restart=restart)
    empty = Const(values[0].type, "" if values[0].type == "string" else None)
    before = _window(Call("lag", (values[0], Const("long", 1), empty), values[0].type), node, scope, restart=restart)
    first = Call("==", (number, Const("long", 1)), "bool")
    return Call("or", (first, Call("!=", (values[0], before), "bool")), "bool"), number, restart


def _by_number(window: Window, number: Scalar) -> Window:
    """Order a window by the rows' numbers.

    An engine that sorts again may take rows of equal keys in another order than the first sort did.
    """
    return dataclasses.replace(window, keys=(Key(number, descending=False, nulls_first=True),))


def _row_rank_dense(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``row_rank_dense(term, restart)``: the number of different terms so far.

    https://learn.microsoft.com/kusto/query/row-rank-dense-function
    """
    changed, number, restart = _rank(node, scope)
    one = Call("choose", (changed, Const("long", 1), Const("long", 0)), "long")
    ranks = _window(Call("running_sum", (one,), "long"), node, scope, restart=restart, running=True)
    return Call("whole_to_long", (_by_number(ranks, number),), "long")


def _row_rank_min(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``row_rank_min(term, restart)``: the number of the first row of the same term.

    https://learn.microsoft.com/kusto/query/row-rank-min-function
    """
    changed, number, restart = _rank(node, scope)
    begun = Call("choose", (changed, number, Const("long", None)), "long")
    ranks = _window(Call("running_max", (begun,), "long"), node, scope, restart=restart, running=True)
    return _by_number(ranks, number)


def _row_window_session(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``row_window_session(time, max_from_first, max_between, restart)``.

    The beginning of a session depends on the session before; ``rewrite.lift_windows`` makes a fold of it.
    https://learn.microsoft.com/kusto/query/row-window-session-function
    """
    values = arity(node, scope, 3, 4)
    kinds = ("datetime", "timespan", "timespan")
    given = [
        types.coerce(value, kind, scope=scope, span=argument.span)
        for value, kind, argument in zip(values, kinds, node.arguments, strict=False)
    ]
    restart = _restarts(values, 3, node, scope)
    return _window(Call("session_start", tuple(given), "datetime"), node, scope, restart=restart)


WINDOWS = {
    "row_number": _row_number,
    "prev": _shifted("lag"),
    "next": _shifted("lead"),
    "row_cumsum": _row_cumsum,
    "row_rank_dense": _row_rank_dense,
    "row_rank_min": _row_rank_min,
    "row_window_session": _row_window_session,
}
