"""Sizes of plans as trees, measured without walking the trees.

Plans share objects: each use of a function's parameter holds the same scalar. Nine calls ``d(d(…))`` of a function
that uses its parameter ten times make nine objects and a tree of a billion nodes, and every later stage walks the
tree. So a size is computed from the sizes of the parts, once for each object.
"""

from __future__ import annotations

import typing

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Plan, Scalar, Shared

__all__ = ["Sizes"]

PLANS = typing.get_args(Plan)


class Sizes:
    """Sizes of plans and scalars: nodes of the tree, and the columns of each plan node.

    A shared plan counts once, whatever the number of its uses: 1 at each use, its input in ``shared``.
    """

    def __init__(self) -> None:
        self.shared = 0
        """Size of the inputs of all shared plans that were measured."""
        self.made = 0
        """Size of all objects that were measured, each counted once."""
        self._known: dict[int, int] = {}
        self._kept: list[Plan | Scalar] = []  # an object that is gone would leave its identity to another
        self._names: set[str] = set()

    def of(self, value: Plan | Scalar) -> int:
        """Return the size of a plan or scalar."""
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = self._measured(value)
            self._kept.append(value)
        return known

    def _measured(self, value: Plan | Scalar) -> int:
        if isinstance(value, Shared):
            return self._share(value)
        own = 1 + (len(value.columns) if isinstance(value, PLANS) else 0)
        self.made += own
        return own + sum(map(self.of, walk.parts(value)))

    def _share(self, value: Shared) -> int:
        if value.name not in self._names:
            self._names.add(value.name)
            self.shared += self.of(value.input)
        return 1 + len(value.columns)
