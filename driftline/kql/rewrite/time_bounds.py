"""Between which times a hunt reads each table, as far as its conditions say; changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Col, Const, Filter, Plan, Scalar, Table

__all__ = ["Bounds", "bounds_of", "time_bounds"]

TIME = "Timestamp"
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "==filter": "=="}


@dataclass(frozen=True, slots=True)
class Bounds:
    """A stretch of time, both ends in it, in microseconds since 1970 UTC; None where it is open."""

    first: int | None = None
    last: int | None = None

    def within(self, other: Bounds) -> Bounds:
        """Give what both have in common."""
        firsts = [each for each in (self.first, other.first) if each is not None]
        lasts = [each for each in (self.last, other.last) if each is not None]
        return Bounds(max(firsts, default=None), min(lasts, default=None))

    def around(self, other: Bounds) -> Bounds:
        """Give the shortest stretch that holds both."""
        first = None if self.first is None or other.first is None else min(self.first, other.first)
        last = None if self.last is None or other.last is None else max(self.last, other.last)
        return Bounds(first, last)


# Datetimes are whole microseconds, so all of these are exact.
STRETCHES: dict[str, Callable[[int], Bounds]] = {
    ">": lambda moment: Bounds(moment + 1, None),
    ">=": lambda moment: Bounds(moment, None),
    "<": lambda moment: Bounds(None, moment - 1),
    "<=": lambda moment: Bounds(None, moment),
    "==": lambda moment: Bounds(moment, moment),
}
STRETCHES["==filter"] = STRETCHES["=="]


def time_bounds(node: Plan) -> dict[str, Bounds]:
    """Give the stretch of ``Timestamp`` that is read of each table, by the table's name."""
    parts = list(walk.nodes(node))
    filters = {id(part.input): part.predicate for part in parts if isinstance(part, Filter)}
    found: dict[str, Bounds] = {}
    for part in parts:
        if isinstance(part, Table):
            predicate = filters.get(id(part))
            bounds = Bounds() if predicate is None else bounds_of(part, predicate)
            found[part.name] = bounds.around(found.get(part.name, bounds))
    return found


def bounds_of(table: Table, predicate: Scalar) -> Bounds:
    """Give the stretch of a table's ``Timestamp`` for which a condition can be true."""
    column = next((column.id for column in table.columns if column.name == TIME), None)
    return Bounds() if column is None else _of_condition(predicate, column)


def _of_condition(value: Scalar, column: str) -> Bounds:
    if not isinstance(value, Call):
        return Bounds()
    if value.function == "and":
        bounds = Bounds()
        for arg in value.args:
            bounds = bounds.within(_of_condition(arg, column))
        return bounds
    return _of_comparison(value, column)


def _of_comparison(value: Call, column: str) -> Bounds:
    if value.function not in FLIPPED:
        return Bounds()
    left, right = value.args
    function = value.function
    if isinstance(left, Const):
        left, right, function = right, left, FLIPPED[function]
    if not isinstance(left, Col) or left.id != column or not isinstance(right, Const) or right.value is None:
        return Bounds()
    return STRETCHES[function](right.value)
