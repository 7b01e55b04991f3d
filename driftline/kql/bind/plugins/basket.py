"""``evaluate basket()``: every combination of values that many rows share.

Kusto finds the combinations by the Apriori algorithm, which only saves work: the answer is every combination of
columns, up to a number of them, whose values together are in at least the threshold's share of the rows.
Here each row meets each combination of columns once, and the engine counts. Empty values make no pattern: they
could not be told from the wildcard, which is null (empty in a string).

https://learn.microsoft.com/kusto/query/basket-plugin
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables import relations
from driftline.kql.bind.tables.outputs import Output, grouped, kept, projected, ref
from driftline.kql.plan.nodes import Call, Column, Const, Filter, Join, Key, Scalar, Shared, Subquery, Values, Window

__all__ = ["bind_basket", "wildcards"]

MOST_COLUMNS = 10  # 637 combinations of up to 5
TRUE = Const("bool", True)


def bind_basket(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    """Bind ``basket(threshold, weight, columns, wildcards…)``: each frequent pattern, the most frequent first."""
    threshold, most = _settings(node, scope)
    marks = wildcards(node.call.arguments[3:], scope)
    columns = relation.columns
    if not 1 <= len(columns) <= MOST_COLUMNS:
        scope.fail(f"not supported: basket over other than 1 to {MOST_COLUMNS} columns; project them first", node.span)
    rows = Relation(Shared(scope.session.fresh("rows"), relation.plan))
    total = _total(rows, scope)
    again = relations.renewed(rows, scope)
    # At most 637 combinations: the join multiplies the rows by that number.
    masks, chosen = _combinations(len(columns), most, scope)
    joined = Join("inner", again.plan, masks.plan, TRUE)
    cells = _cells(again, chosen, marks, scope)
    # A row takes part in a combination if it has a value in each of its columns.
    there = tuple(
        Call("or", (Call("not", (ref(use),), "bool"), _filled(ref(column))), "bool")
        for use, column in zip(chosen, again.columns, strict=True)
    )
    spread = projected(Relation(Filter(joined, Call("and", there, "bool"))), [*cells, *kept(chosen)])
    return _frequent(spread, cells, chosen, total=total, threshold=threshold, scope=scope)


def _settings(node: syntax.Evaluate, scope: Scope) -> tuple[float, int]:
    """Read the threshold and the greatest number of columns; ``~`` means the default."""
    threshold, weight, most = (_setting(node, place, scope) for place in range(3))
    if weight is not None:
        scope.fail("not supported: basket with weights", node.span)
    # Kusto's defaults and bounds.
    threshold = 0.05 if threshold is None else threshold
    most = 5 if most is None else most
    if not isinstance(threshold, (int, float)) or not 0.015 <= threshold < 1:
        scope.fail("expected a threshold from 0.015 to less than 1", node.span)
    if not isinstance(most, int) or most < 1:
        scope.fail("expected a number of columns of 1 or more", node.span)
    return float(threshold), most


def _setting(node: syntax.Evaluate, place: int, scope: Scope) -> object:
    """Return a constant argument; ``None`` if it is left out or ``~``."""
    if place >= len(node.call.arguments):
        return None
    argument = node.call.arguments[place]
    value = scope.scalar(argument)
    if not isinstance(value, Const):
        return value
    return None if value.value == "~" else value.value


def wildcards(arguments: Sequence[syntax.Expr], scope: Scope) -> dict[str, Const]:
    """Read the wildcards, by type: the value of a column that is not part of a pattern."""
    found: dict[str, Const] = {}
    for argument in arguments:
        value = scope.scalar(argument)
        if not isinstance(value, Const) or value.value is None:
            scope.fail("expected a constant as a wildcard, such as '*' or int(-1)", argument.span)
        if value.value != "~":
            found[value.type] = value
    return found


def _total(rows: Relation, scope: Scope) -> Scalar:
    """Count all rows, empty ones as well."""
    again = relations.renewed(rows, scope)
    counted = grouped(again, [], [(scope.session.column("total", "long"), Call("count", (), "long"))])
    return types.converted(Subquery(counted.plan, "long"), "real")


def _combinations(count: int, most: int, scope: Scope) -> tuple[Relation, tuple[Column, ...]]:
    """List the combinations of columns: a row for each, with a bool for each column."""
    chosen = tuple(scope.session.hidden("bool") for _ in range(count))
    sets = (places for size in range(1, min(most, count) + 1) for places in itertools.combinations(range(count), size))
    rows = tuple(tuple(Const("bool", place in places) for place in range(count)) for places in sets)
    return Relation(Values(chosen, rows)), chosen


def _cells(rows: Relation, chosen: tuple[Column, ...], marks: Mapping[str, Const], scope: Scope) -> list[Output]:
    """Return each column's value where the combination has the column, otherwise the wildcard."""
    made: list[Output] = []
    for use, column in zip(chosen, rows.columns, strict=True):
        wildcard = marks.get(column.type) or Const(column.type, "" if column.type == "string" else None)
        cell = Call("choose", (ref(use), ref(column), wildcard), column.type)
        made.append((scope.session.column(column.name, column.type), cell))
    return made


def _filled(value: Scalar) -> Scalar:
    """Whether a value is neither null nor empty."""
    return Call("isnotempty" if value.type == "string" else "isnotnull", (value,), "bool")


def _frequent(
    spread: Relation,
    cells: list[Output],
    chosen: tuple[Column, ...],
    *,
    total: Scalar,
    threshold: float,
    scope: Scope,
) -> Relation:
    """Count the patterns, keep the frequent ones, and number them in order."""
    count = scope.session.column("Count", "long")
    groups = [*kept(column for column, _ in cells), *kept(chosen)]
    counted = grouped(spread, groups, [(count, Call("count", (), "long"))])
    share = Call("/real", (types.converted(ref(count), "real"), total), "real")
    frequent = Relation(Filter(counted.plan, Call(">=", (share, Const("real", threshold)), "bool")))
    # Equal counts are ordered by columns and values, so that each run gives the same order.
    keys = (
        Key(ref(count), descending=True, nulls_first=False),
        *(Key(ref(use), descending=True, nulls_first=False) for use in chosen),
        *(Key(ref(column), descending=False, nulls_first=False) for column, _ in cells),
    )
    number = scope.session.column("SegmentId", "long")
    place = Call("-", (Window(Call("number_row", (), "long"), keys), Const("long", 1)), "long")
    percent = scope.session.column("Percent", "real")
    outputs: list[Output] = [
        (number, place),
        *kept([count]),
        (percent, Call("*", (share, Const("real", 100.0)), "real")),
        *kept(column for column, _ in cells),
    ]
    made = projected(frequent, outputs)
    return Relation(made.plan, (Key(ref(number), descending=False, nulls_first=True),), serialized=True)
