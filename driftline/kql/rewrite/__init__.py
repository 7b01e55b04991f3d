"""Improve plans: each rewrite a file and a function from plan to plan; the order is here."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql.plan import Plan
from driftline.kql.rewrite.merge_filters import merge_filters
from driftline.kql.rewrite.plain_conditions import plain_conditions

__all__ = ["REWRITES", "rewritten"]

REWRITES: tuple[Callable[[Plan], Plan], ...] = (merge_filters, plain_conditions)


def rewritten(plan: Plan) -> Plan:
    """Apply all rewrites in their order."""
    for rewrite in REWRITES:
        plan = rewrite(plan)
    return plan
