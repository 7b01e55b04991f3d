"""Leave out conditions on time that whoever reads the tables keeps to anyway.

A store reads only the files and rows of a stretch of time; asking each row again costs more than
finding a rare word in it.
"""

from __future__ import annotations

from collections.abc import Mapping

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Filter, Plan, Scalar, Table
from driftline.kql.rewrite.time_bounds import Bounds, bounds_of

__all__ = ["drop_enforced"]


def drop_enforced(node: Plan, bounds: Mapping[str, Bounds]) -> Plan:
    """Drop what ``bounds``, by table, say already."""

    def change(part: Plan) -> Plan:
        if not isinstance(part, Filter) or not isinstance(part.input, Table):
            return part
        if bounds_of(part.input, part.predicate) != bounds[part.input.name]:
            return part  # another use of the table reads more
        return _without(part, part.input)

    return walk.bottom_up(node, change)


def _without(node: Filter, table: Table) -> Plan:
    kept = [each for each in _conjuncts(node.predicate) if bounds_of(table, each) == Bounds()]
    if not kept:
        return table
    return Filter(table, kept[0] if len(kept) == 1 else Call("and", tuple(kept), "bool"))


def _conjuncts(value: Scalar) -> list[Scalar]:
    if isinstance(value, Call) and value.function == "and":
        return [part for arg in value.args for part in _conjuncts(arg)]
    return [value]
