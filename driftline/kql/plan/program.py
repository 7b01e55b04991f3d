"""A plan whose shared plans stand beside it, so that each is walked and rewritten once, whatever its number of uses.

The binder makes ``Shared`` nodes, of which every use holds the same input. A chain of 34 lets in which each uses the
one before twice is so a tree of 2³⁴ plans. ``separated`` puts ``Reference`` nodes in their places::

    Join(Shared("m", T), Shared("m", T))   →   Program(Join(Reference("m"), Reference("m")), {"m": T})
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Plan, Reference, Shared

__all__ = ["Program", "joined", "references", "separated"]


@dataclass(frozen=True, slots=True)
class Program:
    """A plan and the plans that it shares."""

    root: Plan
    shared: Mapping[str, Plan] = field(default_factory=dict)
    """Shared plans by name, each after those that it refers to."""
    once: frozenset[str] = frozenset()
    """Names of the shared plans of which all uses must have the same rows."""

    def each(self, change: Callable[[Plan], Plan]) -> Program:
        """Return the program with ``change`` applied to the plan and to each shared plan."""
        shared = {name: change(plan) for name, plan in self.shared.items()}
        return Program(change(self.root), shared, self.once)

    def plans(self) -> list[Plan]:
        """Return the shared plans and then the plan."""
        return [*self.shared.values(), self.root]

    def uses(self) -> Counter[str]:
        """Count the references to each shared plan."""
        return Counter(part.name for plan in self.plans() for part in references(plan))


def references(plan: Plan) -> list[Reference]:
    """Return the references in a plan, those within scalars included."""
    return [part for part in walk.nodes(plan) if isinstance(part, Reference)]


def separated(plan: Plan) -> Program:
    """Return a plan with its shared plans beside it."""
    shared: dict[str, Plan] = {}
    once: set[str] = set()

    def change(part: Any) -> Any:
        if isinstance(part, Shared):
            if part.name not in shared:
                shared[part.name] = change(part.input)
                once.update([part.name] * part.once)
            return Reference(part.name, part.columns)
        return walk.map_scalars(walk.map_plans(part, change), change)

    root = change(plan)
    return Program(root, shared, frozenset(once))


def joined(program: Program) -> Plan:
    """Return the plan of a program with its shared plans in it, the same object at each use."""
    made: dict[str, Shared] = {}

    def change(part: Any) -> Any:
        if isinstance(part, Reference):
            return made[part.name]
        return walk.map_scalars(walk.map_plans(part, change), change)

    for name, plan in program.shared.items():
        made[name] = Shared(name, change(plan), name in program.once)
    root: Plan = change(program.root)
    return root
