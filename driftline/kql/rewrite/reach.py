"""How far into each table a hunt reaches: what of its rows it may need; changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from driftline.kql.plan.nodes import Plan
from driftline.kql.rewrite.needed_terms import ANY_ROW, Need, needed_terms
from driftline.kql.rewrite.time_bounds import Bounds, time_bounds

__all__ = ["Reach", "reach_of"]

ANY_TIME = Bounds()


@dataclass(frozen=True, slots=True)
class Reach:
    """The rows of a stretch of time that meet a need; whoever reads may leave out all others."""

    bounds: Bounds = ANY_TIME
    need: Need = ANY_ROW


def reach_of(plan: Plan) -> dict[str, Reach]:
    """Give what a plan may need of each table it reads, by the table's name."""
    needs = needed_terms(plan)
    return {name: Reach(bounds, needs[name]) for name, bounds in time_bounds(plan).items()}
