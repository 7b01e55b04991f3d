"""Bind top-nested: at each level the greatest values of an aggregate within those of the level above.

The rows are shared. A level groups the rows of its parents by one value more, numbers the groups within each
parent, and keeps the first. The groups it leaves make one row if the level has ``others``. Such a row goes no
deeper: it holds the aggregates of the same rows for levels with ``others``, null for those without.

https://learn.microsoft.com/kusto/query/top-nested-operator
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.column_names import ColumnNames
from driftline.kql.bind.tables.outputs import Output, grouped, kept, projected, ref
from driftline.kql.plan.nodes import (
    Call,
    Column,
    Const,
    Filter,
    Join,
    Key,
    Plan,
    Project,
    Scalar,
    Shared,
    Union,
    Window,
)

__all__ = ["OPERATORS"]


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the query, with its two result columns."""

    node: syntax.NestedLevel
    value: Column
    aggregate: Column


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows below some parents: the columns of the levels' values, and the parents' results."""

    relation: Relation
    results: tuple[Column, ...]


def bind_top_nested(node: syntax.TopNested, relation: Relation, scope: Scope) -> Relation:
    """Bind top-nested, level by level; the result is the union of the deepest groups and all rows of others."""
    values = [scope.scalar(level.value.value) for level in node.levels]
    keys = [scope.session.hidden(value.type) for value in values]
    outputs = [*kept(relation.columns), *zip(keys, values, strict=True)]
    # The rows are read once for each level, with the values of all levels computed.
    base = relation.over(Shared(scope.session.fresh("rows"), projected(relation, outputs).plan))
    levels = _levels(node, relation, keys, scope)
    found: list[Plan] = []
    rows = Rows(base, ())
    for depth, level in enumerate(levels):
        kept_rows, left_rows = _split(level, keys[: depth + 1], rows, base, scope)
        # The row of others sums up what the level does not keep.
        if level.node.others is not None:
            found.append(_others(levels, depth, left_rows, scope))
        rows = kept_rows
    found.append(_deepest(rows, scope))
    columns = tuple(column for level in levels for column in (level.value, level.aggregate))
    return Relation(Union(tuple(found), columns))


def _levels(node: syntax.TopNested, relation: Relation, keys: list[Column], scope: Scope) -> list[Level]:
    """Make the result columns of all levels."""
    names, found = ColumnNames(), []
    for level, key in zip(node.levels, keys, strict=True):
        name = names.of(level.value)
        label = level.aggregate.names[0] if level.aggregate.names else f"aggregated_{name}"
        kind = _aggregate(level, relation, scope)[0].type
        found.append(Level(level, scope.session.column(name, key.type), scope.session.column(label, kind)))
    return found


def _aggregate(level: syntax.NestedLevel, rows: Relation, scope: Scope) -> tuple[Scalar, list[Output]]:
    """Bind a level's aggregate over rows; return its value, and the aggregates it is made of."""
    inner = Scope(scope.session, scope.names, grouped=rows)
    return inner.scalar(level.aggregate.value), list(inner.aggregates)


def _split(level: Level, keys: list[Column], rows: Rows, base: Relation, scope: Scope) -> tuple[Rows, Rows]:
    """Group rows by their parents' values and one more; separate the rows of the first groups from the rest."""
    value, aggregates = _aggregate(level.node, rows.relation, scope)
    fresh = [scope.session.hidden(key.type) for key in keys]
    parents = [scope.session.hidden(column.type) for column in rows.results]
    by = [*zip(fresh, map(ref, keys), strict=True), *zip(parents, map(ref, rows.results), strict=True)]
    groups = grouped(rows.relation, by, aggregates)
    result = scope.session.hidden(value.type)
    measured = projected(groups, [*kept((*fresh, *parents)), (result, value)])
    first = _first(level.node, measured, result, fresh[:-1], scope)
    shared = Shared(scope.session.fresh("level"), first)
    # Groups may hold nulls, so their rows are found by a null-safe equality.
    condition = _same(keys, fresh)
    within = Join("inner", rows.relation.plan, shared, condition)
    beyond = Join("anti", rows.relation.plan, shared, condition)
    carried = (*parents, fresh[-1], result)
    deeper = Project(within, (*base.plan.columns, *carried), tuple(map(ref, (*base.plan.columns, *carried))))
    return Rows(base.over(deeper), carried), Rows(base.over(beyond), rows.results)


def _first(node: syntax.NestedLevel, groups: Relation, result: Column, parents: list[Column], scope: Scope) -> Plan:
    """Keep the first groups of each parent, the greatest first unless the query says ``asc``."""
    if node.count is None:
        return groups.plan
    count = types.coerce(scope.with_row(None).scalar(node.count), "long", scope=scope, span=node.span)
    # Numbers within each parent; the greatest first unless ``asc`` is given, nulls last.
    down = node.descending is not False
    number = Window(Call("number_row", (), "long"), (Key(ref(result), down, not down),), tuple(map(ref, parents)))
    place = scope.session.hidden("long")
    numbered = projected(groups, [*kept(groups.plan.columns), (place, number)])
    return Filter(numbered.plan, Call("<=", (ref(place), count), "bool"))


def _same(left: list[Column], right: list[Column]) -> Call:
    """Whether columns are pairwise the same; null is the same as null."""
    return Call("and", tuple(Call("same", (ref(a), ref(b)), "bool") for a, b in zip(left, right, strict=True)), "bool")


def _others(levels: list[Level], depth: int, rows: Rows, scope: Scope) -> Plan:
    """Make one row for each parent, of the rows that the first groups leave."""
    bound = [_aggregate(level.node, rows.relation, scope) for level in levels[depth:] if level.node.others is not None]
    parents = [scope.session.hidden(column.type) for column in rows.results]
    aggregates = [aggregate for _, several in bound for aggregate in several]
    count = scope.session.hidden("long")
    counted = [*aggregates, (count, Call("count", (), "long"))]
    made = grouped(rows.relation, [*zip(parents, map(ref, rows.results), strict=True)], counted)
    # Without parents, SQL makes a row even if no rows are left.
    some = Filter(made.plan, Call(">", (ref(count), Const("long", 0)), "bool"))
    # Results of the levels above, then the cells of this level and of those below.
    values: list[Scalar] = list(map(ref, parents))
    measured = iter(value for value, _ in bound)
    for level in levels[depth:]:
        values += _others_cells(level, measured.__next__, scope)
    columns = tuple(scope.session.hidden(value.type) for value in values)
    return Project(some, columns, tuple(values))


def _others_cells(level: Level, measured: Callable[[], Scalar], scope: Scope) -> list[Scalar]:
    """Return the two cells of a level in a row of others."""
    kinds = level.value.type, level.aggregate.type
    if level.node.others is None:
        return [Const(kind, "" if kind == "string" else None) for kind in kinds]
    label = scope.with_row(None).scalar(level.node.others)
    return [types.converted(label, kinds[0]), measured()]


def _deepest(rows: Rows, scope: Scope) -> Plan:
    """Return each group of the deepest level once."""
    columns = [scope.session.hidden(column.type) for column in rows.results]
    return grouped(rows.relation, [*zip(columns, map(ref, rows.results), strict=True)], []).plan


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.TopNested: bind_top_nested}
