"""Go through plans: rebuild one with parts changed, or list what it is made of.

All of it goes by the annotations of the records' fields, so that a new kind of plan or scalar
needs no line here.
"""

from __future__ import annotations

import dataclasses
import operator
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from driftline.kql.plan import nodes as plan
from driftline.kql.plan.nodes import Plan, Scalar

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


def _fields(kind: type, words: set[str]) -> tuple[str, ...]:
    return tuple(name for name, hint in kind.__annotations__.items() if words & set(re.findall(r"\w+", str(hint))))


KINDS = (*typing.get_args(Plan), *typing.get_args(Scalar))
PLANS = {"Plan", *(kind.__name__ for kind in typing.get_args(Plan))}
SCALARS = {"Scalar", "Key", *(kind.__name__ for kind in typing.get_args(Scalar))}
PLAN_FIELDS: dict[type, tuple[str, ...]] = {kind: _fields(kind, PLANS) for kind in KINDS}
SCALAR_FIELDS: dict[type, tuple[str, ...]] = {kind: _fields(kind, SCALARS) for kind in KINDS}


def bottom_up(node: Plan, change: Callable[[Plan], Plan]) -> Plan:
    """Change every plan, inputs first; not those inside of scalars."""
    return change(map_plans(node, lambda each: bottom_up(each, change)))


def map_plans(node: Node, change: Callable[[Plan], Plan]) -> Node:
    """Change the plans a plan stands on, or a scalar reads, directly."""
    return _mapped(node, PLAN_FIELDS[type(node)], change)


def map_scalars(node: Node, change: Callable[[Scalar], Scalar]) -> Node:
    """Change the scalars a plan, or a scalar, is computed with directly."""
    return _mapped(node, SCALAR_FIELDS[type(node)], change)


def replaced(value: Scalar, values: dict[str, Scalar]) -> Scalar:
    """Put values in the places of columns, by their identifiers."""
    if isinstance(value, plan.Col):
        return values.get(value.id, value)
    return map_scalars(value, lambda part: replaced(part, values))


def exchanged(value: Scalar, old: Scalar, new: Scalar) -> Scalar:
    """Put one value in the place of another, wherever that stands."""
    return new if value == old else map_scalars(value, lambda part: exchanged(part, old, new))


def widened(node: Plan, pairs: Iterable[tuple[plan.Column, Scalar]]) -> plan.Project:
    """Compute more columns beside those of a plan."""
    columns, values = zip(*pairs, strict=True)
    kept = tuple(plan.Col(column.id, column.type) for column in node.columns)
    return plan.Project(node, (*node.columns, *columns), (*kept, *values))


def narrowed(node: Plan, columns: tuple[plan.Column, ...]) -> Plan:
    """Give these columns of a plan, which has them, and no others."""
    if node.columns == columns:
        return node
    return plan.Project(node, columns, tuple(plan.Col(column.id, column.type) for column in columns))


def nodes(value: Plan | Scalar) -> Iterator[Plan | Scalar]:
    """Give a plan or scalar and all that it is made of, plans inside of scalars too."""
    left = [value]
    while left:
        value = left.pop()
        yield value
        kind = type(value)
        for name in PLAN_FIELDS[kind] + SCALAR_FIELDS[kind]:
            _collect(getattr(value, name), left)


def scalars(node: Plan | Scalar) -> list[Scalar]:
    """Give the scalars a plan or a scalar itself computes with, not those of a plan's inputs."""
    found: list[Any] = []
    for name in SCALAR_FIELDS[type(node)]:
        _collect(getattr(node, name), found)
    return found


def inputs(node: Plan) -> list[Plan]:
    """Give the plans a plan stands on directly."""
    found: list[Any] = []
    for name in PLAN_FIELDS[type(node)]:
        _collect(getattr(node, name), found)
    return found


def parts(value: Plan | Scalar) -> list[Plan | Scalar]:
    """Give the scalars and plans that a scalar or a plan is computed from directly."""
    kind = type(value)
    found: list[Any] = []
    for name in SCALAR_FIELDS[kind] + PLAN_FIELDS[kind]:
        _collect(getattr(value, name), found)
    return found


def columns_of(*values: Scalar) -> set[str]:
    """Give the identifiers of the columns that values are computed from."""
    return {part.id for value in values for part in nodes(value) if isinstance(part, plan.Col)}


def _collect(value: Any, into: list[Any]) -> None:
    if isinstance(value, tuple):
        for each in value:
            _collect(each, into)
    elif isinstance(value, plan.Key):
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
    if isinstance(value, plan.Key):
        return _mapped(value, ("value",), change)
    return None if value is None else change(value)
