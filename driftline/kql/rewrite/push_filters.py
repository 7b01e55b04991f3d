"""Predicate pushdown: move conditions down to the tables, through all nodes that do not change their meaning.

::

    T | extend b = a + 1 | where b > 1          →   T | where a + 1 > 1 | extend b = a + 1
    union T, U | where a > 1                    →   union (T | where a > 1), (U | where a > 1)
    T | summarize count() by s | where s == ''  →   T | where s == '' | summarize count() by s

The engines push conditions down too, but not through materialized plans, windows and expanded arrays. And the store
chooses the files to read before an engine runs, by the conditions right above the tables (``time_bounds``,
``needed_terms``).

A condition passes a node if all its columns come from the node's input; a computed column is replaced by its
expression. It stays above the node

- if the column is volatile (``rand()``): computing it twice gives two values;
- if it reads no column (``where toscalar(…) > 3``): below an aggregation without groups it would not drop the row;
- if the projection has a window function, which reads rows that the condition would drop;
- if the condition would become large: ``extend b = a * a | extend c = b * b | …`` doubles it at each step;
- on the side of an outer join that adds null rows, see ``SIDES``;
- above ``take`` and ``top``: they would count other rows.

Runs after ``inline_shared`` and before the rewrites that look at the filter right above a table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import (
    Aggregate,
    Call,
    Col,
    Column,
    Distinct,
    Expand,
    Filter,
    Join,
    Plan,
    Project,
    Scalar,
    Union,
    Window,
)
from driftline.kql.rewrite.volatile import is_volatile

__all__ = ["push_filters"]

MOST_NODES = 1_000  # of a condition in which expressions replaced columns
Pushed = tuple[Plan, list[Scalar]]
"""A node with some conditions pushed into it, and the conditions that must stay above it."""


def push_filters(node: Plan) -> Plan:
    """Return a plan with the conditions of all filters as close to the tables as their meaning permits."""
    return walk.bottom_up(node, _change)


def _change(node: Plan) -> Plan:
    if not isinstance(node, Filter):
        return node
    return _pushed(node.input, _conjuncts(node.predicate))


def _pushed(node: Plan, conditions: list[Scalar]) -> Plan:
    push = PUSHES.get(type(node))
    if push is None:
        return _filtered(node, conditions)
    fixed = [condition for condition in conditions if is_volatile(condition) or not walk.columns_of(condition)]
    inner, above = push(node, [condition for condition in conditions if condition not in fixed])
    return _filtered(inner, [*above, *fixed])


def _conjuncts(value: Scalar) -> list[Scalar]:
    if isinstance(value, Call) and value.function == "and":
        return [part for arg in value.args for part in _conjuncts(arg)]
    return [value]


def _filtered(node: Plan, conditions: Sequence[Scalar]) -> Plan:
    if not conditions:
        return node
    return Filter(node, conditions[0] if len(conditions) == 1 else Call("and", tuple(conditions), "bool"))


# Conditions that read only columns ``within``, and the others.
def _split(conditions: list[Scalar], within: set[str]) -> tuple[list[Scalar], list[Scalar]]:
    inside = [condition for condition in conditions if walk.columns_of(condition) <= within]
    return inside, [condition for condition in conditions if condition not in inside]


def _through_filter(node: Filter, conditions: list[Scalar]) -> Pushed:
    return _pushed(node.input, [*_conjuncts(node.predicate), *conditions]), []


# A window function reads rows that the condition would drop, so nothing passes a projection that has one.
def _through_project(node: Project, conditions: list[Scalar]) -> Pushed:
    if any(isinstance(part, Window) for value in node.values for part in walk.nodes(value)):
        return node, conditions
    values = dict(zip((column.id for column in node.columns), node.values, strict=True))
    steady = {name for name, value in values.items() if not is_volatile(value)}
    inside, above = _split(conditions, steady)
    moved = {condition: walk.replaced(condition, values) for condition in inside}
    large = [condition for condition, made in moved.items() if made != condition and _is_large(made)]
    below = [made for condition, made in moved.items() if condition not in large]
    return dataclasses.replace(node, input=_pushed(node.input, below)), [*above, *large]


def _is_large(condition: Scalar) -> bool:
    return any(number > MOST_NODES for number, _ in enumerate(walk.nodes(condition)))


# Only conditions on groups pass: they drop whole groups. ``where n > 1`` on a count needs the whole group.
def _through_aggregate(node: Aggregate, conditions: list[Scalar]) -> Pushed:
    values = dict(zip((column.id for column in node.columns), node.groups, strict=False))
    inside, above = _split(conditions, {name for name, value in values.items() if not is_volatile(value)})
    moved = [walk.replaced(condition, values) for condition in inside]
    return dataclasses.replace(node, input=_pushed(node.input, moved)), above


# A condition on the distinct columns drops whole groups of equal rows; one on other columns would change which row
# stays.
def _through_distinct(node: Distinct, conditions: list[Scalar]) -> Pushed:
    inside, above = _split(conditions, {value.id for value in node.by if isinstance(value, Col)})
    return dataclasses.replace(node, input=_pushed(node.input, inside)), above


def _through_expand(node: Expand, conditions: list[Scalar]) -> Pushed:
    inside, above = _split(conditions, _ids(node.input.columns))
    return dataclasses.replace(node, input=_pushed(node.input, inside)), above


def _through_union(node: Union, conditions: list[Scalar]) -> Pushed:
    inputs = []
    for each in node.inputs:
        values: dict[str, Scalar] = {
            mine.id: Col(theirs.id, theirs.type) for mine, theirs in zip(node.columns, each.columns, strict=True)
        }
        inputs.append(_pushed(each, [walk.replaced(condition, values) for condition in conditions]))
    return dataclasses.replace(node, inputs=tuple(inputs)), []


# By kind of join: whether a condition on the left and on the right columns may pass. An outer join adds rows of nulls
# on the other side, and a condition must see these rows.
SIDES = {
    "inner": (True, True),
    "left": (True, False),
    "right": (False, True),
    "semi": (True, False),
    "anti": (True, False),
}


def _through_join(node: Join, conditions: list[Scalar]) -> Pushed:
    left, right = SIDES.get(node.kind, (False, False))
    on_left, rest = _split(conditions, _ids(node.left.columns) if left else set())
    on_right, above = _split(rest, _ids(node.right.columns) if right else set())
    return dataclasses.replace(node, left=_pushed(node.left, on_left), right=_pushed(node.right, on_right)), above


def _ids(columns: Sequence[Column]) -> set[str]:
    return {column.id for column in columns}


# By node class: the function that takes conditions through a node. Reference, Limit, Fold and others are barriers.
PUSHES: dict[type, Callable[[Any, list[Scalar]], Pushed]] = {
    Aggregate: _through_aggregate,
    Distinct: _through_distinct,
    Expand: _through_expand,
    Filter: _through_filter,
    Join: _through_join,
    Project: _through_project,
    Union: _through_union,
}
