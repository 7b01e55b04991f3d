"""Compute once an aggregation that stands in several places.

make-series needs one for its groups and for its counts.
"""

from __future__ import annotations

from collections import Counter

from driftline.kql.plan import Aggregate, Plan, Shared, Table
from driftline.kql.rewrite import walk

__all__ = ["share_repeated"]


def share_repeated(node: Plan) -> Plan:
    """Share aggregations that are one and the same object; must see the plan as it was bound."""
    parts = list(walk.nodes(node))
    uses = Counter(id(part) for part in parts if isinstance(part, Aggregate))
    taken = {part.name for part in parts if isinstance(part, (Shared, Table))}
    names: dict[int, str] = {}

    def change(part: Plan) -> Plan:
        inner = walk.map_plans(part, change)
        if uses[id(part)] < 2:
            return inner
        if id(part) not in names:
            names[id(part)] = _fresh(taken)
        return Shared(names[id(part)], inner)

    return change(node)


def _fresh(taken: set[str]) -> str:
    number = 1
    while f"aggregated_{number}" in taken:
        number += 1
    taken.add(f"aggregated_{number}")
    return f"aggregated_{number}"
