"""Volatile values: those that differ at each computation, such as ``rand()``.

A rewrite must not compute them twice or for other rows: ``T | extend r = rand() | where r > 0.5 | project r`` must
return numbers above 0.5 only.
"""

from __future__ import annotations

from driftline.kql import functions
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Scalar

__all__ = ["is_volatile"]


def is_volatile(value: Scalar) -> bool:
    """Return whether a value contains a volatile call, in a subquery too."""
    return any(isinstance(part, Call) and functions.find(part.function).volatile for part in walk.nodes(value))
