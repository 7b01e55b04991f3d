"""Merge a filter with the filter below it.

::

    T | where a > 1 | where s == 'x'   →   T | where a > 1 and s == 'x'

The SQL has one SELECT less, and the engine can order the conditions by cost. The rewrites behind it look at one filter
right above a table, so the whole condition must be there.

Precondition: none. Runs after ``push_filters``, which can leave a filter above a filter.
"""

from __future__ import annotations

from driftline.kql.plan.nodes import Call, Filter, Plan
from driftline.kql.plan.walk import bottom_up

__all__ = ["merge_filters"]


def merge_filters(node: Plan) -> Plan:
    """Return a plan without a filter directly above another filter."""
    return bottom_up(node, _change)


def _change(node: Plan) -> Plan:
    if isinstance(node, Filter) and isinstance(node.input, Filter):
        # The lower condition stays first, as written in the query.
        both = Call("and", (node.input.predicate, node.predicate), "bool")
        return Filter(node.input.input, both)
    return node
