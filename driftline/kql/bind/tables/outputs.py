"""Make tables of columns: projections, groups, and the first rows of each partition.

An output is a column with the value that computes it. All functions here keep the hidden columns that the order
and the partitions of a relation need, so that an operator need not think of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from driftline.kql import functions, syntax
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.parse.cursor import Stuck
from driftline.kql.plan.nodes import Aggregate, Call, Col, Column, Const, Filter, Key, Limit, Project, Scalar, Window

__all__ = [
    "bound_or_null",
    "check_named",
    "grouped",
    "kept",
    "kept_fresh",
    "limited",
    "projected",
    "ref",
    "within_partition",
]

Output = tuple[Column, Scalar]


def ref(column: Column) -> Col:
    """Return a reference to a column."""
    return Col(column.id, column.type)


def projected(relation: Relation, outputs: Iterable[Output]) -> Relation:
    """Project a relation to the outputs; hidden columns of the order and the partitions stay."""
    # By identifier, so that a column of the order that is also an output is not doubled.
    pairs = {column.id: (column, within_partition(value, relation)) for column, value in outputs}
    for value in (*(key.value for key in relation.order), *relation.partition):
        if isinstance(value, Col):
            pairs.setdefault(value.id, (Column(value.id, value.type), value))
    plan = Project(relation.plan, tuple(c for c, _ in pairs.values()), tuple(v for _, v in pairs.values()))
    return relation.over(plan)


def within_partition(value: Scalar, relation: Relation) -> Scalar:
    """Add the partition to all window functions in a value, so that they read rows of their own partition only."""
    # SQL's LIMIT counts all rows; rows of a partition are numbered by a window instead.
    if not relation.partition:
        return value
    if isinstance(value, Window):
        return dataclasses.replace(value, partition=(*value.partition, *relation.partition))
    if isinstance(value, Call):
        return dataclasses.replace(value, args=tuple(within_partition(arg, relation) for arg in value.args))
    return value


def limited(relation: Relation, keys: tuple[Key, ...], count: Scalar, scope: Scope) -> Relation:
    """Keep the first ``count`` rows by the keys, of each partition if there are partitions."""
    if not relation.partition:
        return Relation(Limit(relation.plan, keys, count), relation.order, relation.serialized)
    place = scope.session.hidden("long")
    numbered = (*kept(relation.plan.columns), (place, Window(Call("number_row", (), "long"), keys, relation.partition)))
    plan = Project(relation.plan, tuple(c for c, _ in numbered), tuple(v for _, v in numbered))
    return relation.over(Filter(plan, Call("<=", (ref(place), count), "bool")))


def kept(columns: Iterable[Column]) -> list[Output]:
    """Return columns as outputs that keep their identifiers."""
    return [(column, ref(column)) for column in columns]


def check_named(node: syntax.Expr, scope: Scope) -> None:
    """Note a problem for ``name == value``, where no such name exists: ``=`` names a column."""
    # ``summarize n == count()`` is a common slip for ``n = count()``.
    if isinstance(node, syntax.Binary) and node.op == "==" and isinstance(node.left, syntax.Name):
        name = node.left.name
        if scope.column(name) is None and name not in scope.names and not scope.grouped_column(name):
            scope.fail(f"'==' compares, and there is no column '{name}'; '=' names a value", node.span)


def bound_or_null(node: syntax.Expr, scope: Scope) -> Scalar:
    """Bind an item of a list; an item that fails is noted and replaced by null, so that later items are bound, too."""
    try:
        check_named(node, scope)
        return scope.scalar(node)
    except Stuck:
        # The names of several columns come from the bound value; one column has its name from the query.
        scope.session.tainted |= isinstance(node, syntax.Call) and bool(functions.find(node.name).columns)
        return Const("dynamic", None)


def kept_fresh(columns: Iterable[Column], scope: Scope) -> list[Output]:
    """Return columns as outputs with new identifiers."""
    return [(scope.session.column(c.name, c.type), ref(c)) for c in columns]


def grouped(relation: Relation, groups: Sequence[Output], aggregates: Sequence[Output]) -> Relation:
    """Group by columns, and by the partition, with aggregates."""
    parts = [(Column(part.id, part.type), part) for part in relation.partition]
    pairs = [*groups, *parts]
    columns = tuple(c for c, _ in [*pairs, *aggregates])
    plan = Aggregate(relation.plan, columns, tuple(v for _, v in pairs), tuple(v for _, v in aggregates))
    return Relation(plan, partition=relation.partition)
