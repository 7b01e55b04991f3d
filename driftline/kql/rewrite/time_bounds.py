"""Analysis: the range of ``Timestamp`` that a query reads of each table. Changes nothing.

::

    T | where Timestamp > ago(7d)                                    →   Bounds(now - 7 d + 1 µs, None)
    T | where Timestamp between (datetime(2026-11-01) .. 2d)          →   Bounds(2026-11-01, 2026-11-03)
    T | where Timestamp > ago(1d) or a > 1                            →   Bounds(None, None)

Tables are stored in files by time, so the range selects the files to read.

Precondition: conditions are right above the tables and times are constants (after ``push_filters`` and
``fold_constants``). A condition that is not understood bounds nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from driftline.kql import functions
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Col, Const, Filter, Plan, Scalar, Table

__all__ = ["Bounds", "bounds_of", "time_bounds"]

TIME = "Timestamp"  # column of the event's time, in every hunting table


@dataclass(frozen=True, slots=True)
class Bounds:
    """A range of time with both ends included, in microseconds since 1970-01-01 UTC."""

    first: int | None = None
    """Earliest time; None without a lower bound."""
    last: int | None = None
    """Latest time; None without an upper bound."""

    def within(self, other: Bounds) -> Bounds:
        """Return the intersection of two ranges; its ``first`` is later than its ``last`` if they do not overlap."""
        firsts = [each for each in (self.first, other.first) if each is not None]
        lasts = [each for each in (self.last, other.last) if each is not None]
        return Bounds(max(firsts, default=None), min(lasts, default=None))

    def around(self, other: Bounds) -> Bounds:
        """Return the shortest range that contains both ranges."""
        first = None if self.first is None or other.first is None else min(self.first, other.first)
        last = None if self.last is None or other.last is None else max(self.last, other.last)
        return Bounds(first, last)


# Range by comparison. Datetimes are whole microseconds, so ``>`` begins exactly one microsecond later.
RANGES: dict[str, Callable[[int], Bounds]] = {
    ">": lambda moment: Bounds(moment + 1, None),
    ">=": lambda moment: Bounds(moment, None),
    "<": lambda moment: Bounds(None, moment - 1),
    "<=": lambda moment: Bounds(None, moment),
    "==": lambda moment: Bounds(moment, moment),
}
RANGES["==filter"] = RANGES["=="]


def time_bounds(node: Plan) -> dict[str, Bounds]:
    """Return the range of ``Timestamp`` that a plan reads of each table, by table name.

    Of a table that is read several times, the range contains all uses.
    """
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
    """Return the range of a table's ``Timestamp`` for which a condition can be true.

    Open at both ends if the condition or the table does not have the column.
    """
    column = next((column.id for column in table.columns if column.name == TIME), None)
    return Bounds() if column is None else _of_condition(predicate, column)


# ``or`` bounds nothing, even if both sides do: ``Timestamp < a or Timestamp > b`` has no single range.
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
    function = value.function
    mirrored = functions.find(function).mirrored
    if not mirrored:
        return Bounds()
    left, right = value.args
    if isinstance(left, Const):
        left, right, function = right, left, mirrored
    if not isinstance(left, Col) or left.id != column or not isinstance(right, Const) or right.value is None:
        return Bounds()
    return RANGES[function](right.value)
