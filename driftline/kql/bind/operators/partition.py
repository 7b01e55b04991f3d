"""Bind partition: a pipeline run on the rows of each value of a column.

https://learn.microsoft.com/kusto/query/partition-operator
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables import pipelines
from driftline.kql.bind.tables.outputs import grouped, kept, projected, ref
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Col, Const, InPlan, Join, Plan, Project, Subquery

__all__ = ["OPERATORS"]


def bind_partition(node: syntax.Partition, relation: Relation, scope: Scope) -> Relation:
    """Run the body on the rows of each value of a column, without splitting the plan.

    The column becomes the partition of the relation; each operator of the body works within partitions. Hints, which
    only steer how Kusto runs the body, have no effect.
    """
    key = scope.scalar(node.column)
    if node.source is not None:
        return _with_source(node, node.source, relation, scope)
    part = scope.session.hidden(key.type)
    # The column may be hidden by the body's projections, so a hidden copy marks the partition.
    parted = projected(relation, [*kept(relation.columns), (part, key)])
    parts = dataclasses.replace(parted, partition=(*relation.partition, ref(part)))
    return dataclasses.replace(pipelines.apply(node.body, parts, scope.with_row(None)), partition=relation.partition)


def _with_source(node: syntax.Partition, source: syntax.Expr, relation: Relation, scope: Scope) -> Relation:
    """Run a pipeline that has a source of its own for each value of the column.

    The source is read once for each value: a join of the distinct values with it, whose parts are the values. The
    column's name, or ``toscalar`` of it, is the value of the part, where the source has no column of that name.
    """
    part = scope.session.hidden(scope.scalar(node.column).type)
    values = grouped(dataclasses.replace(relation, partition=()), [(part, scope.scalar(node.column))], [])
    inner = scope.with_row(None).with_names({node.column.name: ref(part)})
    first, operators = (source.source, source.operators) if isinstance(source, syntax.Pipe) else (source, ())
    table = inner.table(first)
    parts = dataclasses.replace(table, plan=_for_each(values.plan, table.plan, ref(part)), partition=(ref(part),))
    result = pipelines.apply(operators, parts, inner)
    if _reads_beyond(result.plan, part.id):
        scope.fail(
            f"not supported: '{node.column.name}' within a subquery of the braces of 'partition'; "
            "read it in the conditions and values of the outer pipeline",
            source.span,
        )
    return dataclasses.replace(result, partition=())


def _for_each(values: Plan, table: Plan, part: Col) -> Plan:
    """Join values with a table; the values that ``print`` computes may depend on them."""
    if isinstance(table, Project):
        joined = Join("inner", values, table.input, Const("bool", True))
        return Project(joined, (*table.columns, *values.columns), (*table.values, part))
    return Join("inner", values, table, Const("bool", True))


def _reads_beyond(plan: Plan, column: str) -> bool:
    """Whether some node of a plan reads a column that none of its inputs has."""
    has = any(column in {each.id for each in part.columns} for part in walk.inputs(plan))
    for value in walk.scalars(plan):
        for each in walk.nodes(value):
            if isinstance(each, (InPlan, Subquery)) and _reads_beyond(each.plan, column):
                return True
            if not has and isinstance(each, Col) and each.id == column:
                return True
    return any(_reads_beyond(part, column) for part in walk.inputs(plan))


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Partition: bind_partition}
