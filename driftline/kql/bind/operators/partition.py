"""Bind partition: a pipeline run on the rows of each value of a column.

https://learn.microsoft.com/kusto/query/partition-operator
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables import pipelines
from driftline.kql.bind.tables.outputs import kept, projected, ref

__all__ = ["OPERATORS"]


def bind_partition(node: syntax.Partition, relation: Relation, scope: Scope) -> Relation:
    """Run the body on the rows of each value of a column, without splitting the plan.

    The column becomes the partition of the relation; each operator of the body works within partitions. Hints, which
    only steer how Kusto runs the body, have no effect.
    """
    key = scope.scalar(node.column)
    part = scope.session.hidden(key.type)
    # The column may be hidden by the body's projections, so a hidden copy marks the partition.
    parted = projected(relation, [*kept(relation.columns), (part, key)])
    parts = dataclasses.replace(parted, partition=(*relation.partition, ref(part)))
    return dataclasses.replace(pipelines.apply(node.body, parts, scope.with_row(None)), partition=relation.partition)


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Partition: bind_partition}
