"""Analysis: the rows of each table that a query can need, by time and by terms. Changes nothing.

The store reads the files and row groups within the reach and skips all others. Runs on the rewritten plan, when
conditions are right above the tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from driftline.kql.plan.nodes import Plan
from driftline.kql.rewrite.needed_terms import ANY_ROW, Need, needed_terms
from driftline.kql.rewrite.time_bounds import Bounds, time_bounds

__all__ = ["Reach", "reach_of"]

ANY_TIME = Bounds()  # open at both ends


@dataclass(frozen=True, slots=True)
class Reach:
    """Rows of a table that can contribute to a query's result; the reader may leave out all others.

    The default is every row.
    """

    bounds: Bounds = ANY_TIME
    """Range of ``Timestamp``."""
    need: Need = ANY_ROW
    """Terms that a row must contain."""


def reach_of(plan: Plan) -> dict[str, Reach]:
    """Return the reach of a plan into each table that it reads, by table name.

    Of a table that is read several times, the reach covers all uses.
    """
    needs = needed_terms(plan)
    return {name: Reach(bounds, needs[name]) for name, bounds in time_bounds(plan).items()}
