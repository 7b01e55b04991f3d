"""Traversal of plans: rebuild a plan with changed parts, or list the nodes that it consists of.

The functions find the child nodes by the type annotations of the classes' fields (``_fields``), so that a new node
class needs no line here. A rebuilt node is the same object if none of its parts changed. *Direct* children are those
in a node's own fields; the plans inside of scalars (``Subquery``, ``InPlan``) are children of the scalar.
"""

from __future__ import annotations

import dataclasses
import operator
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from driftline.kql.plan.nodes import Col, Column, Key, Plan, Project, Scalar, Shared

__all__ = [
    "bottom_up",
    "columns_of",
    "exchanged",
    "inputs",
    "map_plans",
    "map_scalars",
    "narrowed",
    "nodes",
    "parts",
    "replaced",
    "scalars",
    "widened",
]

Node = TypeVar("Node", bound=Any)


# Names of a class's fields whose annotation names one of the classes: with ``from __future__ import annotations`` an
# annotation is its source text, such as ``tuple[Scalar, ...]``.
def _fields(kind: type, words: set[str]) -> tuple[str, ...]:
    return tuple(name for name, hint in kind.__annotations__.items() if words & set(re.findall(r"\w+", str(hint))))


KINDS = (*typing.get_args(Plan), *typing.get_args(Scalar))
PLANS = {"Plan", *(kind.__name__ for kind in typing.get_args(Plan))}
SCALARS = {"Scalar", "Key", *(kind.__name__ for kind in typing.get_args(Scalar))}
PLAN_FIELDS: dict[type, tuple[str, ...]] = {kind: _fields(kind, PLANS) for kind in KINDS}
SCALAR_FIELDS: dict[type, tuple[str, ...]] = {kind: _fields(kind, SCALARS) for kind in KINDS}


def bottom_up(node: Plan, change: Callable[[Plan], Plan]) -> Plan:
    """Return a plan with ``change`` applied to every plan node, inputs before the nodes above them.

    Plans inside of scalars are left as they are. Most rewrites are one ``change`` function and this call.
    """
    return change(map_plans(node, lambda each: bottom_up(each, change)))


def map_plans(node: Node, change: Callable[[Plan], Plan]) -> Node:
    """Return a node with ``change`` applied to its direct child plans: a plan's inputs, or a scalar's subquery."""
    return _mapped(node, PLAN_FIELDS[type(node)], change)


def map_scalars(node: Node, change: Callable[[Scalar], Scalar]) -> Node:
    """Return a node with ``change`` applied to its direct child scalars, those of sort keys included."""
    return _mapped(node, SCALAR_FIELDS[type(node)], change)


def replaced(value: Scalar, values: dict[str, Scalar]) -> Scalar:
    """Return a scalar with columns replaced by values, by identifier; other columns stay.

    ``a + b`` with ``{"a": x * 2}`` is ``x * 2 + b``. Plans inside of the scalar are left as they are.
    """
    if isinstance(value, Col):
        return values.get(value.id, value)
    return map_scalars(value, lambda part: replaced(part, values))


def exchanged(value: Scalar, old: Scalar, new: Scalar) -> Scalar:
    """Return a scalar with each occurrence of ``old`` replaced by ``new``."""
    return new if value == old else map_scalars(value, lambda part: exchanged(part, old, new))


def widened(node: Plan, pairs: Iterable[tuple[Column, Scalar]]) -> Project:
    """Return a projection of all columns of a plan and of the new columns in ``pairs`` (at least one)."""
    columns, values = zip(*pairs, strict=True)
    kept = tuple(Col(column.id, column.type) for column in node.columns)
    return Project(node, (*node.columns, *columns), (*kept, *values))


def narrowed(node: Plan, columns: tuple[Column, ...]) -> Plan:
    """Return a projection to some of a plan's columns, or the plan itself if these are all of them, in order."""
    if node.columns == columns:
        return node
    return Project(node, columns, tuple(Col(column.id, column.type) for column in columns))


def nodes(value: Plan | Scalar) -> Iterator[Plan | Scalar]:
    """Yield a node and all nodes below it: plans, scalars, and the plans inside of scalars, each before its children.

    A shared plan is yielded at each of its uses, the nodes below it once.
    """
    left = [value]  # nodes still to visit
    entered: set[str] = set()  # names of shared plans
    while left:
        value = left.pop()
        yield value
        if isinstance(value, Shared):
            if value.name in entered:
                continue
            entered.add(value.name)
        kind = type(value)
        for name in PLAN_FIELDS[kind] + SCALAR_FIELDS[kind]:
            _collect(getattr(value, name), left)


def scalars(node: Plan | Scalar) -> list[Scalar]:
    """Return the direct child scalars of a node, those of sort keys included; not those of a plan's inputs."""
    found: list[Any] = []
    for name in SCALAR_FIELDS[type(node)]:
        _collect(getattr(node, name), found)
    return found


def inputs(node: Plan) -> list[Plan]:
    """Return the direct inputs of a plan."""
    found: list[Any] = []
    for name in PLAN_FIELDS[type(node)]:
        _collect(getattr(node, name), found)
    return found


def parts(value: Plan | Scalar) -> list[Plan | Scalar]:
    """Return the direct child nodes of a node, scalars before plans."""
    kind = type(value)
    found: list[Any] = []
    for name in SCALAR_FIELDS[kind] + PLAN_FIELDS[kind]:
        _collect(getattr(value, name), found)
    return found


def columns_of(*values: Scalar) -> set[str]:
    """Return the identifiers of all columns that scalars read, those within subqueries included."""
    return {part.id for value in values for part in nodes(value) if isinstance(part, Col)}


def _collect(value: Any, into: list[Any]) -> None:
    if isinstance(value, tuple):
        for each in value:
            _collect(each, into)
    elif isinstance(value, Key):
        into.append(value.value)
    elif value is not None:
        into.append(value)


def _mapped(node: Node, names: tuple[str, ...], change: Callable[[Any], Any]) -> Node:
    changes = {}
    for name in names:
        before = getattr(node, name)
        after = _changed(before, change)
        if after is not before:
            changes[name] = after
    return dataclasses.replace(node, **changes) if changes else node


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, tuple):
        made = tuple([_changed(each, change) for each in value])
        return value if all(map(operator.is_, made, value)) else made
    if isinstance(value, Key):
        return _mapped(value, ("value",), change)
    return None if value is None else change(value)
