"""Inline a shared plan that is used once.

::

    let m = materialize(T | where a > 1); m | where s == 'x'   →   T | where a > 1 | where s == 'x'

A shared plan becomes ``WITH … AS MATERIALIZED``. No rewrite pushes a condition into it, nor do the engines. Computing
it once has no use if it is read once.

Precondition: one use in the whole query, subqueries included. Runs before ``push_filters``, for which a shared plan is
a barrier.
"""

from __future__ import annotations

from collections import Counter

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Plan, Shared

__all__ = ["inline_shared"]


def inline_shared(node: Plan) -> Plan:
    """Return a plan with each shared plan that is used once replaced by its input.

    Shared plans within subqueries stay: ``walk.bottom_up`` does not enter scalars.
    """
    uses = Counter(part.name for part in walk.nodes(node) if isinstance(part, Shared))

    def change(part: Plan) -> Plan:
        return part.input if isinstance(part, Shared) and uses[part.name] == 1 else part

    return walk.bottom_up(node, change)
