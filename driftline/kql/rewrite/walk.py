"""Go through plans: rebuild one with its inputs changed, or list what it is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from driftline.kql import plan
from driftline.kql.plan import Plan, Scalar

__all__ = ["bottom_up", "inputs", "nodes", "scalars"]


def inputs(node: Plan) -> tuple[Plan, ...]:
    """Give the plans a plan stands on directly."""
    if isinstance(node, plan.Join):
        return (node.left, node.right)
    if isinstance(node, plan.Union):
        return node.inputs
    return () if isinstance(node, (plan.Table, plan.Values, plan.Numbers)) else (node.input,)


def bottom_up(node: Plan, change: Callable[[Plan], Plan]) -> Plan:
    """Change every plan, inputs first."""
    if isinstance(node, plan.Join):
        left, right = bottom_up(node.left, change), bottom_up(node.right, change)
        return change(dataclasses.replace(node, left=left, right=right))
    if isinstance(node, plan.Union):
        return change(dataclasses.replace(node, inputs=tuple(bottom_up(each, change) for each in node.inputs)))
    if isinstance(node, (plan.Table, plan.Values, plan.Numbers)):
        return change(node)
    return change(dataclasses.replace(node, input=bottom_up(node.input, change)))


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


def _parts(value: object) -> Iterator[Plan | Scalar]:
    if isinstance(value, tuple):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, plan.Key):
        yield value.value
    elif isinstance(value, (Plan, Scalar)):
        yield value
