"""Make one filter of filters on each other: less to write, and one condition for the engine to order."""

from __future__ import annotations

from driftline.kql.plan.nodes import Call, Filter, Plan
from driftline.kql.plan.walk import bottom_up

__all__ = ["merge_filters"]


def merge_filters(node: Plan) -> Plan:
    """Merge each filter with the one it stands on."""
    return bottom_up(node, _change)


def _change(node: Plan) -> Plan:
    if isinstance(node, Filter) and isinstance(node.input, Filter):
        both = Call("and", (node.input.predicate, node.predicate), "bool")
        return Filter(node.input.input, both)
    return node
