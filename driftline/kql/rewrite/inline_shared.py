"""Put a shared plan in its place if that is its only one.

What is computed once and kept cannot take part in anything around it: no condition reaches
into it and no column is left out.
"""

from __future__ import annotations

from collections import Counter

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Plan, Shared

__all__ = ["inline_shared"]


def inline_shared(node: Plan) -> Plan:
    """Inline shared plans that are used once."""
    uses = Counter(part.name for part in walk.nodes(node) if isinstance(part, Shared))

    def change(part: Plan) -> Plan:
        return part.input if isinstance(part, Shared) and uses[part.name] == 1 else part

    return walk.bottom_up(node, change)
