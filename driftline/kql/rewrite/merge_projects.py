"""Merge a projection or an aggregation with the projection below it.

::

    T | extend b = a + 1 | project c = b * 2   →   T | project c = (a + 1) * 2

The SQL has one SELECT less, and an expression stands where its value is used: ``expand_as_texts`` sees
``tostring(element)`` only in the projection right above the expansion.

Precondition, for every value of the lower projection: a column or a constant, or used at most once and neither volatile
(``rand()``) nor a window function (it must see the rows of the lower step). So nothing is computed twice. Runs after
``prune_columns``, because one unused window function would keep two projections apart.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Aggregate, Col, Const, Plan, Project, Scalar, Window
from driftline.kql.rewrite.volatile import is_volatile

__all__ = ["merge_projects"]


def merge_projects(node: Plan) -> Plan:
    """Return a plan with projections and aggregations merged into the projection below them, where possible."""
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


# ``uses`` counts the references from the upper node. All values must be movable, or none moves.
def _movable(value: Scalar, uses: int) -> bool:
    if isinstance(value, (Col, Const)):
        return True
    return uses <= 1 and not is_volatile(value) and not any(isinstance(part, Window) for part in walk.nodes(value))
