"""A limit on the length of SQL, which templates that repeat an argument multiply at each nesting level.

``totimespan`` repeats its argument at 40 places, so that the SQL of a few nested calls would take terabytes. A large
argument of a large call is therefore computed once, in a column of the plan below.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import get_args

from driftline.kql.dialects.templates import mentions
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Col, Column, Const, Plan, Scalar
from driftline.kql.plan.program import Program

__all__ = ["TooLarge", "sized"]

_MOST = 5_000_000  # rough length of the longest SQL, in characters
_LARGE = 8_000  # rough length of a call whose arguments get columns of their own
_SMALL = 100  # rough length of an argument up to which a column is not worth it


class TooLarge(Exception):
    """The SQL of a plan would be longer than five million characters."""


def sized(program: Program, dialect: str) -> Program:
    """Return a program with the same columns in which large arguments of large calls are columns of inner plans.

    Raises ``TooLarge`` if the SQL for the dialect stays too long.
    """
    ruler = _Ruler(dialect)
    if all(size < _LARGE for size in _sizes(program, ruler)):
        return program
    names = (f"·part {number}" for number in itertools.count())
    made = program.each(lambda plan: _sized(plan, ruler, names))
    if sum(_sizes(made, ruler)) > _MOST:
        raise TooLarge
    return made


def _sizes(program: Program, ruler: _Ruler) -> Iterator[int]:
    nodes = (node for plan in program.plans() for node in walk.nodes(plan))
    plans = (node for node in nodes if not isinstance(node, get_args(Scalar)))
    return (ruler.size(value) for node in plans for value in walk.scalars(node))


class _Ruler:
    """Rough lengths of the SQL of scalars, in characters."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._known: dict[Scalar, int] = {}

    def counts(self, value: Call) -> list[int]:
        return mentions(value, self._dialect)[1]

    def size(self, value: Scalar) -> int:
        if value not in self._known:
            self._known[value] = self._measured(value)
        return self._known[value]

    def _measured(self, value: Scalar) -> int:
        if isinstance(value, Const):
            return 8 + len(str(value.value))
        if not isinstance(value, Call):
            return 20 + sum(map(self.size, walk.scalars(value)))
        own, counts = mentions(value, self._dialect)
        return own + sum(count * self.size(arg) for arg, count in zip(value.args, counts, strict=True))


def _sized(node: Plan, ruler: _Ruler, names: Iterator[str]) -> Plan:
    node = walk.map_plans(node, lambda each: _sized(each, ruler, names))
    columns = node.columns
    while part := _part_below(node, ruler):
        node = _apart(node, part, next(names))
    return walk.narrowed(node, columns)


# An argument must depend on columns of the input only: a fold's state is not a column of its input.
def _part_below(node: Plan, ruler: _Ruler) -> Scalar | None:
    inputs = walk.inputs(node)
    known = {column.id for column in inputs[0].columns} if len(inputs) == 1 else set()
    parts = (_part(value, ruler, known) for value in walk.scalars(node)) if known else iter(())
    return next((part for part in parts if part), None)


def _part(value: Scalar, ruler: _Ruler, known: set[str]) -> Scalar | None:
    """Return an argument that a large call repeats, innermost first; None if there is none."""
    for inner in walk.scalars(value):
        if found := _part(inner, ruler, known):
            return found
    if not isinstance(value, Call) or ruler.size(value) < _LARGE:
        return None
    named = zip(value.args, ruler.counts(value), strict=True)
    large = [arg for arg, count in named if count > 1 and isinstance(arg, Call) and ruler.size(arg) > _SMALL]
    return max((arg for arg in large if walk.columns_of(arg) <= known), key=ruler.size, default=None)


def _apart(node: Plan, part: Scalar, name: str) -> Plan:
    (below,) = walk.inputs(node)
    made = walk.widened(below, [(Column(name, part.type), part)])
    node = walk.map_plans(node, lambda _: made)
    return walk.map_scalars(node, lambda each: walk.exchanged(each, part, Col(name, part.type)))
