"""Fold arithmetic on constant times: ``ago(7d)`` becomes a datetime constant.

::

    T | where Timestamp > ago(7d)   →   T | where Timestamp > datetime(2026-11-16T12:00:00)

Kusto evaluates ``now()`` once for a whole query (https://learn.microsoft.com/kusto/query/now-function). Only a
comparison with a constant bounds the time range that a query reads (``time_bounds``), and lets the engines skip
row groups by their statistics.

Precondition: ``now`` is known; without it only arithmetic on other constants is folded. Runs first, because the other
rewrites and analyses look for constants.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

from driftline.clock import EPOCH
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Const, Plan, Scalar

__all__ = ["fold_constants"]

YEAR_ONE = 62_135_596_800_000_000  # microseconds from 0001-01-01, where Kusto's bins begin, to 1970-01-01
# Datetimes are microseconds and timespans ticks of 100 ns, so a factor of 10 lies between them. A bin of less than a
# microsecond is left to the engine.
FOLDS: dict[str, Callable[[int, int], int | None]] = {
    "datetime+": lambda moment, ticks: moment + ticks // 10,
    "datetime-": lambda moment, ticks: moment - ticks // 10,
    "datetime_minus": lambda left, right: (left - right) * 10,
    "bin_datetime": lambda moment, ticks: moment - (moment + YEAR_ONE) % (ticks // 10) if ticks >= 10 else None,
}
FIRST, LAST = -YEAR_ONE, 253_402_300_800_000_000 - 1  # range of a datetime in microseconds: years 1 to 9999


def fold_constants(node: Plan, now: datetime.datetime | None) -> Plan:
    """Return a plan with calls on constant times replaced by their values, in subqueries too.

    ``now`` (with a time zone) is the value of ``now()``; None leaves ``now()`` and ``ago()`` to the engine. Calls
    whose result is outside of Kusto's datetimes are left as well, so that the engine decides.
    """
    moment = None if now is None else Const("datetime", (now - EPOCH) // datetime.timedelta(microseconds=1))

    def change(value: Scalar) -> Scalar:
        value = walk.map_plans(walk.map_scalars(value, change), fold)
        if moment is not None and isinstance(value, Call) and value.function == "now_utc":
            return moment
        return _folded(value)

    def fold(each: Plan) -> Plan:
        return walk.bottom_up(each, lambda part: walk.map_scalars(part, change))

    return fold(node)


def _folded(value: Scalar) -> Scalar:
    if not isinstance(value, Call) or value.function not in FOLDS:
        return value
    left, right = value.args
    if not isinstance(left, Const) or not isinstance(right, Const) or left.value is None or right.value is None:
        return value
    made = FOLDS[value.function](left.value, right.value)
    return value if made is None or not _fits(made, value.type) else Const(value.type, made)


def _fits(made: int, kind: str) -> bool:
    return kind != "datetime" or FIRST <= made <= LAST
