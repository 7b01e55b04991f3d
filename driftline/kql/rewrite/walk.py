"""Go through plans: rebuild one with parts changed, or list what it is made of.

All of it goes by the records' fields, so that a new kind of plan or scalar needs no line here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from driftline.kql import plan
from driftline.kql.plan import Plan, Scalar

__all__ = ["bottom_up", "columns_of", "map_plans", "map_scalars", "nodes", "replaced", "scalars"]

Node = TypeVar("Node", bound=Any)


def bottom_up(node: Plan, change: Callable[[Plan], Plan]) -> Plan:
    """Change every plan, inputs first; not those inside of scalars."""
    return change(map_plans(node, lambda each: bottom_up(each, change)))


def map_plans(node: Node, change: Callable[[Plan], Plan]) -> Node:
    """Change the plans a plan stands on, or a scalar reads, directly."""
    return _mapped(node, lambda part: change(part) if isinstance(part, Plan) else part)


def map_scalars(node: Node, change: Callable[[Scalar], Scalar]) -> Node:
    """Change the scalars a plan, or a scalar, is computed with directly."""
    return _mapped(node, lambda part: change(part) if isinstance(part, Scalar) else part)


def replaced(value: Scalar, values: dict[str, Scalar]) -> Scalar:
    """Put values in the places of columns, by their identifiers."""
    if isinstance(value, plan.Col):
        return values.get(value.id, value)
    return map_scalars(value, lambda part: replaced(part, values))


def nodes(value: Plan | Scalar) -> Iterator[Plan | Scalar]:
    """Give a plan or scalar and all that it is made of, plans inside of scalars too."""
    yield value
    for name in value.__dataclass_fields__:
        for part in _parts(getattr(value, name)):
            yield from nodes(part)


def scalars(node: Plan) -> Iterator[Scalar]:
    """Give the scalars a plan itself computes with, not those of its inputs."""
    for name in node.__dataclass_fields__:
        yield from (part for part in _parts(getattr(node, name)) if isinstance(part, Scalar))


def columns_of(*values: Scalar) -> set[str]:
    """Give the identifiers of the columns that values are computed from."""
    return {part.id for value in values for part in nodes(value) if isinstance(part, plan.Col)}


def _parts(value: object) -> Iterator[Plan | Scalar]:
    if isinstance(value, tuple):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, plan.Key):
        yield value.value
    elif isinstance(value, (Plan, Scalar)):
        yield value


def _mapped(node: Node, change: Callable[[Any], Any]) -> Node:
    changes = {}
    for name in node.__dataclass_fields__:
        before = getattr(node, name)
        after = _changed(before, change)
        if after is not before:
            changes[name] = after
    return dataclasses.replace(node, **changes) if changes else node


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, tuple):
        made = tuple(_changed(each, change) for each in value)
        return value if all(a is b for a, b in zip(made, value, strict=True)) else made
    if isinstance(value, plan.Key):
        return _mapped(value, change)
    return change(value) if isinstance(value, (Plan, Scalar)) else value
