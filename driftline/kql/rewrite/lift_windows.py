"""Lift nested window functions into subqueries.

SQL knows them in a SELECT's list alone, and none inside of another or of an aggregate; Kusto
takes ``where prev(a) != a`` and ``row_cumsum(b, a != prev(a))``. What stands elsewhere is computed
in a column of its own below. Sessions depend on the session before, so they become a ``Fold``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Col, Column, Const, Fold, Plan, Project, Scalar, Window
from driftline.kql.plan.program import Program

__all__ = ["lift_windows"]


def lift_windows(program: Program) -> Program:
    """Move window functions to places where SQL takes them; the columns of the plans stay as they are."""
    if not any(isinstance(node, Window) for plan in program.plans() for node in walk.nodes(plan)):
        return program
    names = (f"·window {number}" for number in itertools.count())
    return program.each(lambda plan: _lifted(plan, names))


def _lifted(node: Plan, names: Iterator[str]) -> Plan:
    node = walk.map_plans(node, lambda each: _lifted(each, names))
    node = walk.map_scalars(node, lambda each: _inside(each, names))
    columns = node.columns
    while window := next(_misplaced(node), None):
        node = _lowered(node, window, next(names))
    return walk.narrowed(node, columns)


# Plans inside of scalars have windows of their own.
def _inside(value: Scalar, names: Iterator[str]) -> Scalar:
    value = walk.map_plans(value, lambda each: _lifted(each, names))
    return walk.map_scalars(value, lambda each: _inside(each, names))


def _misplaced(node: Plan) -> Iterator[Window]:
    """Find windows that must move below, innermost first."""
    for value in walk.scalars(node):
        yield from _windows(value, inside=not isinstance(node, Project))


def _windows(value: Scalar | Plan, *, inside: bool) -> Iterator[Window]:
    within = inside or isinstance(value, Window)
    for part in walk.scalars(value):
        yield from _windows(part, inside=within)
    if isinstance(value, Window) and (inside or value.call.function == "session_start"):
        yield value


def _lowered(node: Plan, window: Window, name: str) -> Plan:
    (below,) = walk.inputs(node)
    column = Column(name, window.type)
    made: Plan = walk.widened(below, [(column, window)])
    if window.call.function == "session_start":
        made = _session(below, window, column)
    node = walk.map_plans(node, lambda _: made)
    return walk.map_scalars(node, lambda each: walk.exchanged(each, window, Col(column.id, column.type)))


# Whether a row begins a session, its own time and the state after the row before it say.
def _session(below: Plan, window: Window, column: Column) -> Fold:
    number, *given = (Column(f"{column.id} {part}", kind) for part, kind in (
        ("number", "long"), ("time", "datetime"), ("length", "timespan"), ("distance", "timespan"),
    ))  # fmt: skip
    parts = [Column(f"{column.id} part {place}", part.type) for place, part in enumerate(window.partition)]
    place = Window(Call("number_row", (), "long"), window.keys, window.partition)
    pairs = [(number, place), *zip(given, window.call.args, strict=True), *zip(parts, window.partition, strict=True)]
    rows = walk.widened(below, pairs)
    last = Column(f"{column.id} last", "datetime")
    before = tuple(Column(f"{each.id} before", each.type) for each in (column, last))
    time, length, distance, began, latest = (Col(each.id, each.type) for each in (*given, *before))
    late = Call("or", (_past(time, began, length), _past(time, latest, distance)), "bool")
    begins = Call("or", (Call("isnull", (began,), "bool"), Call("isnull", (time,), "bool"), late), "bool")
    return Fold(
        f"{column.id} rows",
        rows,
        Col(number.id, "long"),
        tuple(Col(part.id, part.type) for part in parts),
        (column, last),
        before,
        (Const("datetime", None),) * 2,
        (Call("choose", (begins, time, began), "datetime"), time),
    )


def _past(time: Col, since: Col, length: Col) -> Scalar:
    return Call(
        "coalesce_null",
        (Call(">=", (time, Call("datetime+", (since, length), "datetime")), "bool"), Const("bool", False)),
        "bool",
    )
