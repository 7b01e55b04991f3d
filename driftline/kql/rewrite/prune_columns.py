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
from collections.abc import Callable, Collection, Mapping, Sequence
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
    Reference,
    Table,
    Union,
    Values,
)
from driftline.kql.plan.program import Program

__all__ = ["prune_columns"]

Needed = set[str]
"""Identifiers of columns."""


def prune_columns(program: Program, needed: Collection[str]) -> Program:
    """Return a program whose plan has the columns of these identifiers, and those that they are computed from.

    The result may have other columns too (a table keeps at least one); the caller selects by identifier. Shared plans
    without a use are left out.
    """
    pruner = _Pruner()
    root = pruner.prune(program.root, set(needed))
    shared: dict[str, Plan] = {}
    for name, plan in reversed(list(program.shared.items())):  # all uses of a shared plan are outside of it or after it
        if name in pruner.needs:
            shared[name] = pruner.prune(plan, pruner.needs[name])
    columns = {name: plan.columns for name, plan in shared.items()}
    return Program(root, dict(reversed(list(shared.items()))), program.once).each(
        lambda plan: _with_references(plan, columns)
    )


# All uses of a shared plan have the columns that it has, whichever of them they read.
def _with_references(plan: Plan, columns: Mapping[str, tuple[Column, ...]]) -> Plan:
    def change(part: Any) -> Any:
        if isinstance(part, Reference):
            return Reference(part.name, columns[part.name])
        return walk.map_scalars(walk.map_plans(part, change), change)

    return change(plan)  # type: ignore[no-any-return] # a plan makes a plan


class _Pruner:
    def __init__(self) -> None:
        self.needs: dict[str, Needed] = {}  # columns that the uses of each shared plan read, by its name

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


def _prune_reference(pruner: _Pruner, node: Reference, needed: Needed) -> Plan:
    pruner.needs.setdefault(node.name, set()).update(needed)
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
    Reference: _prune_reference,
    Table: _prune_table,
    Union: _prune_union,
    Values: _prune_values,
}
