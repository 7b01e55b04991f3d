"""Compute once an aggregation that stands in several places.

make-series needs one for its groups and for its counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from driftline.kql.plan import Aggregate, Plan, Scalar, Shared, Table
from driftline.kql.rewrite import walk

__all__ = ["share_repeated"]


def share_repeated(node: Plan) -> Plan:
    """Share aggregations that are one and the same object; must see the plan as it was bound."""
    parts = list(_once(node))
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


# What is inside of a shared plan is computed once already, however often that one is used.
def _once(node: Plan) -> Iterator[Plan | Scalar]:
    left: list[Plan | Scalar] = [node]
    seen: set[str] = set()
    while left:
        part = left.pop()
        if isinstance(part, Shared):
            if part.name in seen:
                continue
            seen.add(part.name)
        yield part
        left += walk.parts(part)


def _fresh(taken: set[str]) -> str:
    number = 1
    while f"aggregated_{number}" in taken:
        number += 1
    taken.add(f"aggregated_{number}")
    return f"aggregated_{number}"
