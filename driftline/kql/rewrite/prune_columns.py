"""Remove unused columns, down to the tables.

::

    project a                    project a
      project a, s, b = a + 1      project a
        table T: a, s, d    →        table T: a

Parquet files are read by columns, so unused ones cost nothing. The engines prune as well, but not through materialized
plans.

A shared plan must return the columns that any of its uses reads. So the uses are collected first, from the outside in,
and a shared plan is pruned when all its uses are known.

Precondition: the caller names the columns that it reads of the whole plan. Runs before ``merge_projects``, which merges
more once unused expressions are gone, and again after all other rewrites.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import (
    Aggregate,
    Col,
    Column,
    Distinct,
    Expand,
    Filter,
    Join,
    Limit,
    Plan,
    Project,
    Shared,
    Table,
    Union,
    Values,
)

__all__ = ["prune_columns"]

Needed = set[str]
"""Identifiers of columns."""


def prune_columns(node: Plan, needed: Collection[str]) -> Plan:
    """Return a plan with the columns of these identifiers, and those that they are computed from.

    The result may have other columns too (a table keeps at least one); the caller selects by identifier.
    """
    return _Pruner().whole(node, set(needed))


class _Pruner:
    def __init__(self) -> None:
        self.needs: dict[str, Needed] = {}  # columns that the uses of each shared plan read, by its name
        self.shared: dict[str, Plan] = {}  # inputs of the shared plans met so far, by name

    def whole(self, node: Plan, needed: Needed) -> Plan:
        pruned = self.prune(node, needed)
        made: dict[str, Plan] = {}
        before: dict[str, Needed] = {}
        while before != self.needs:  # pruning one shared plan may add needs of another; needs only grow, so it ends
            before = dict(self.needs)
            made = {name: self.prune(self.shared[name], each) for name, each in before.items()}
        return self._placed(pruned, made) if made else pruned

    # All uses of a shared plan must hold the same pruned input: the emitter writes the first one.
    def _placed(self, node: Plan, made: dict[str, Plan]) -> Plan:
        def change(part: Any) -> Any:
            part = walk.map_scalars(walk.map_plans(part, change), change)
            return Shared(part.name, self._placed(made[part.name], made)) if isinstance(part, Shared) else part

        return change(node)  # type: ignore[no-any-return] # a plan makes a plan

    # One column stays where none is needed (``count()``): SQL has no rows without columns.
    def prune(self, node: Plan, needed: Needed) -> Plan:
        prune = PRUNES.get(type(node), _prune_unknown)
        ids = _ids(node.columns)
        return prune(self, self._inside(node), needed & ids or {column.id for column in node.columns[:1]})

    # A subquery needs all of its columns: the scalar around it reads them.
    def _inside(self, node: Plan) -> Plan:
        def change(value: Any) -> Any:
            return walk.map_plans(walk.map_scalars(value, change), lambda each: self.prune(each, _ids(each.columns)))

        return walk.map_scalars(node, change)


def _ids(columns: Sequence[Column]) -> Needed:
    return {column.id for column in columns}


# A node class without a rule keeps all columns of its inputs.
def _prune_unknown(pruner: _Pruner, node: Plan, _: Needed) -> Plan:
    return walk.map_plans(node, lambda each: pruner.prune(each, _ids(each.columns)))


def _prune_table(_: _Pruner, node: Table, needed: Needed) -> Plan:
    return dataclasses.replace(node, columns=tuple(column for column in node.columns if column.id in needed))


def _prune_values(_: _Pruner, node: Values, needed: Needed) -> Plan:
    kept = [number for number, column in enumerate(node.columns) if column.id in needed]
    rows = tuple(tuple(row[number] for number in kept) for row in node.rows)
    return Values(tuple(node.columns[number] for number in kept), rows)


def _prune_project(pruner: _Pruner, node: Project, needed: Needed) -> Plan:
    kept = [pair for pair in zip(node.columns, node.values, strict=True) if pair[0].id in needed]
    columns, values = tuple(c for c, _ in kept), tuple(v for _, v in kept)
    return Project(pruner.prune(node.input, walk.columns_of(*values)), columns, values)


# Filter, Limit and Distinct pass their input's columns on and read some of them.
def _prune_through(pruner: _Pruner, node: Any, needed: Needed) -> Plan:
    inner = pruner.prune(node.input, needed | walk.columns_of(*walk.scalars(node)))
    return dataclasses.replace(node, input=inner)  # type: ignore[no-any-return] # a plan makes a plan


def _prune_aggregate(pruner: _Pruner, node: Aggregate, needed: Needed) -> Plan:
    size = len(node.groups)
    pairs = list(zip(node.columns[size:], node.aggregates, strict=True))
    kept = [pair for pair in pairs if pair[0].id in needed]
    columns, aggregates = tuple(c for c, _ in kept), tuple(v for _, v in kept)
    inner = pruner.prune(node.input, walk.columns_of(*node.groups, *aggregates))
    return Aggregate(inner, node.columns[:size] + columns, node.groups, aggregates)


def _prune_join(pruner: _Pruner, node: Join, needed: Needed) -> Plan:
    wanted = needed | walk.columns_of(node.condition)
    left, right = (pruner.prune(side, wanted & _ids(side.columns)) for side in (node.left, node.right))
    return dataclasses.replace(node, left=left, right=right)


def _prune_union(pruner: _Pruner, node: Union, needed: Needed) -> Plan:
    kept = [number for number, column in enumerate(node.columns) if column.id in needed]
    inputs = []
    for each in node.inputs:
        columns = tuple(each.columns[number] for number in kept)
        inputs.append(_exactly(pruner.prune(each, _ids(columns)), columns))
    return Union(tuple(inputs), tuple(node.columns[number] for number in kept))


# The columns of a union are matched by position, so each input has exactly these, in this order.
def _exactly(node: Plan, columns: tuple[Column, ...]) -> Plan:
    if node.columns == columns:
        return node
    return Project(node, columns, tuple(Col(column.id, column.type) for column in columns))


def _prune_expand(pruner: _Pruner, node: Expand, needed: Needed) -> Plan:
    inner = pruner.prune(node.input, needed & _ids(node.input.columns) | walk.columns_of(*node.arrays))
    index = node.index if node.index and node.index.id in needed else None
    kept = tuple(column for column in inner.columns if column.id in needed)
    return dataclasses.replace(node, input=inner, index=index, kept=kept)


def _prune_shared(pruner: _Pruner, node: Shared, needed: Needed) -> Plan:
    before = pruner.needs.get(node.name, set())
    pruner.needs[node.name] = before | needed
    pruner.shared[node.name] = node.input
    return node


# By node class: the function that prunes a node to the needed columns.
PRUNES: dict[type, Callable[[_Pruner, Any, Needed], Plan]] = {
    Aggregate: _prune_aggregate,
    Distinct: _prune_through,
    Expand: _prune_expand,
    Filter: _prune_through,
    Join: _prune_join,
    Limit: _prune_through,
    Project: _prune_project,
    Shared: _prune_shared,
    Table: _prune_table,
    Union: _prune_union,
    Values: _prune_values,
}
