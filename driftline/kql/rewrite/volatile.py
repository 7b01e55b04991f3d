"""Which values may not be computed at another place or another number of times."""

from __future__ import annotations

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Scalar

__all__ = ["is_volatile"]

VOLATILE = {"rand", "rand_below", "new_guid"}


def is_volatile(value: Scalar) -> bool:
    """Say whether a value differs each time it is computed."""
    return any(isinstance(part, Call) and part.function in VOLATILE for part in walk.nodes(value))
