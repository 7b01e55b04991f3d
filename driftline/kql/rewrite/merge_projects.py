"""Make one step of a projection and what stands on it, so that there is less to write and to read."""

from __future__ import annotations

import dataclasses
from collections import Counter

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Aggregate, Col, Const, Plan, Project, Scalar, Window
from driftline.kql.rewrite.volatile import is_volatile

__all__ = ["merge_projects"]


def merge_projects(node: Plan) -> Plan:
    """Merge projections and aggregations with the projection they stand on.

    Not where something would then be computed twice, or at another place than a window.
    """
    return walk.bottom_up(node, _change)


def _change(node: Plan) -> Plan:
    if not isinstance(node, (Project, Aggregate)) or not isinstance(node.input, Project):
        return node
    inner = dict(zip((column.id for column in node.input.columns), node.input.values, strict=True))
    uses = Counter(part.id for value in walk.scalars(node) for part in walk.nodes(value) if isinstance(part, Col))
    if not all(_movable(value, uses[name]) for name, value in inner.items()):
        return node
    merged = walk.map_scalars(node, lambda value: walk.replaced(value, inner))
    return dataclasses.replace(merged, input=node.input.input)


def _movable(value: Scalar, uses: int) -> bool:
    if isinstance(value, (Col, Const)):
        return True
    return uses <= 1 and not is_volatile(value) and not any(isinstance(part, Window) for part in walk.nodes(value))
