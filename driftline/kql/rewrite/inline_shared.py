"""Inline a shared plan that is used once.

::

    let m = materialize(T | where a > 1); m | where s == 'x'   →   T | where a > 1 | where s == 'x'

A shared plan becomes ``WITH … AS MATERIALIZED``. No rewrite pushes a condition into it, nor do the engines. Computing
it once has no use if it is read once.

Precondition: one use in the whole query, subqueries included. Runs before ``push_filters``, for which a shared plan is
a barrier.
"""

from __future__ import annotations

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Plan, Reference
from driftline.kql.plan.program import Program

__all__ = ["inline_shared"]


def inline_shared(program: Program) -> Program:
    """Return a program with each shared plan that is used once in the place of its use.

    References within scalars stay: the SQL of a call may repeat its arguments.
    """
    uses = program.uses()
    inlined: dict[str, Plan] = {}

    def change(part: Plan) -> Plan:
        return inlined.pop(part.name, part) if isinstance(part, Reference) else part

    shared: dict[str, Plan] = {}
    for name, plan in program.shared.items():
        shared[name] = walk.bottom_up(plan, change)
        if uses[name] == 1:
            inlined[name] = shared[name]
    root = walk.bottom_up(program.root, change)
    return Program(root, {name: plan for name, plan in shared.items() if uses[name] > 1 or name in inlined})
