"""Inline shared plans that need not, or should not, be computed apart.

::

    let m = materialize(T | where a > 1); m | where s == 'x'   →   T | where a > 1 | where s == 'x'
    let m = T | where a > 1; union (m | where s == 'x'), m     →   union (T | where a > 1 | where s == 'x'), (T | …)

A shared plan becomes ``WITH … AS MATERIALIZED``. No rewrite pushes a condition into it, nor do the engines. Computing
it once has no use if it is read once. The plan of a let that only filters and projects is cheaper at each use, where
conditions pass to the table, as long as it is small: a chain of lets in which each uses the one before twice doubles
with each.

Runs before ``push_filters``, for which a reference to a shared plan is a barrier.
"""

from __future__ import annotations

import typing
from typing import Any

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import (
    Call,
    Const,
    Filter,
    Plan,
    Project,
    Reference,
    Scalar,
    Subquery,
    Table,
    Union,
    Values,
    Window,
)
from driftline.kql.plan.program import Program, references

__all__ = ["inline_shared"]

PLANS = typing.get_args(Plan)
ROW_WISE = (Table, Values, Filter, Project, Union, Reference)
MOST_CALLS = 64  # plan nodes, calls and constants of a let's plan that is computed at each use
MOST_COPIED = 5_000  # nodes and columns of all copies of such a plan
MOST_ADDED = 50_000  # the same of all such plans together


def inline_shared(program: Program) -> Program:
    """Return a program with shared plans in the place of their uses, where that changes no result and costs less.

    A plan of which all uses must have the same rows stays if it is used twice or within a scalar, because the SQL of
    a call may repeat its arguments.
    """
    uses = program.uses()
    single = {name for name, count in uses.items() if count == 1}
    inlined: dict[str, Plan] = {}
    shared: dict[str, Plan] = {}
    added = 0

    def in_plans(part: Plan) -> Plan:
        return inlined.get(part.name, part) if isinstance(part, Reference) else part

    for name, plan in program.shared.items():
        made = walk.bottom_up(_with_lets(plan, inlined, program.once), in_plans)
        copied = 0 if name in single else uses[name] * _size(made)
        cheap = name not in program.once and copied <= MOST_COPIED and added + copied <= MOST_ADDED
        if name in single or (cheap and _is_small(made, program.once)):
            inlined[name] = made
            added += copied
        shared[name] = made
    root = walk.bottom_up(_with_lets(program.root, inlined, program.once), in_plans)
    left = Program(root, shared, program.once)
    return Program(root, _reached(left), program.once)


# The lets' plans are inlined within scalars too. The plan of one row that computes a let's value becomes the value.
def _with_lets(plan: Plan, inlined: dict[str, Plan], once: frozenset[str]) -> Plan:
    def change(part: Any) -> Any:
        if isinstance(part, Reference) and part.name not in once:
            return inlined.get(part.name, part)
        if isinstance(part, Subquery) and isinstance(part.plan, Reference) and part.plan.name not in once:
            value = _value(inlined.get(part.plan.name))
            if value is not None:
                return value
        return walk.map_scalars(walk.map_plans(part, change), change)

    return change(plan)  # type: ignore[no-any-return] # a plan makes a plan


def _value(plan: Plan | None) -> Scalar | None:
    if not isinstance(plan, Project) or not isinstance(plan.input, Values):
        return None
    return plan.values[0] if len(plan.input.rows) == 1 and not walk.columns_of(*plan.values) else None


def _is_small(plan: Plan, once: frozenset[str]) -> bool:
    calls = 0
    for part in walk.nodes(plan):
        if (isinstance(part, PLANS) and not isinstance(part, ROW_WISE)) or isinstance(part, Window):
            return False
        if isinstance(part, Reference) and part.name in once:
            return False
        calls += isinstance(part, (Call, Const, *PLANS))
    return calls <= MOST_CALLS


def _size(plan: Plan) -> int:
    return sum(1 + (len(part.columns) if isinstance(part, PLANS) else 0) for part in walk.nodes(plan))


# Names of the shared plans that the plan still reads, directly or through others.
def _reached(program: Program) -> dict[str, Plan]:
    wanted = {part.name for part in references(program.root)}
    for name, plan in reversed(list(program.shared.items())):
        if name in wanted:
            wanted.update(part.name for part in references(plan))
    return {name: plan for name, plan in program.shared.items() if name in wanted}
