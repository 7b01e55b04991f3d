"""Drop conditions on ``Timestamp`` that the reader of the table enforces anyway.

::

    T | where Timestamp > ago(1d) and a > 1   →   T | where a > 1

Precondition: the caller promised (``compiled(…, bounded=True)``) that it gives the SQL only rows within the
bounds of ``reach_of``. The store selects files, row groups and rows by those bounds; comparing each row's time again
costs more than finding a rare word in the row.

Runs after ``reach_of``, which reads the bounds from these conditions, and before a last ``prune_columns``, because
``Timestamp`` may then be unused.
"""

from __future__ import annotations

from collections.abc import Mapping

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Filter, Plan, Scalar, Table
from driftline.kql.rewrite.time_bounds import Bounds, bounds_of

__all__ = ["drop_enforced"]


def drop_enforced(node: Plan, bounds: Mapping[str, Bounds]) -> Plan:
    """Return a plan without the time conditions that ``bounds``, by table name, already state.

    A table that is read twice has one bound around both uses; the condition of the narrower use stays.
    """

    def change(part: Plan) -> Plan:
        if not isinstance(part, Filter) or not isinstance(part.input, Table):
            return part
        if bounds_of(part.input, part.predicate) != bounds[part.input.name]:
            return part  # another use of the table reads a longer time
        return _without(part, part.input)

    return walk.bottom_up(node, change)


# A condition that bounds nothing is no condition on time, or one that a range cannot express (``Timestamp != x``).
def _without(node: Filter, table: Table) -> Plan:
    kept = [each for each in _conjuncts(node.predicate) if bounds_of(table, each) == Bounds()]
    if not kept:
        return table
    return Filter(table, kept[0] if len(kept) == 1 else Call("and", tuple(kept), "bool"))


def _conjuncts(value: Scalar) -> list[Scalar]:
    if isinstance(value, Call) and value.function == "and":
        return [part for arg in value.args for part in _conjuncts(arg)]
    return [value]
