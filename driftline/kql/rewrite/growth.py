"""Analysis: whether a query's values may become far larger than stored values. Changes nothing.

::

    T | extend u = strcat(s, s)          weight 2: does not grow
    T | extend u = strrep(s, 1000)       weight 1031: grows
    T | extend l = range(0, n)           no bound: grows

DuckDB computes a vector of 2,048 rows at once. It neither counts the memory of the texts and arrays in it against its
limit nor checks for interrupts before the vector is done. With values about as large as stored ones that is harmless;
queries with larger values run in a process of their own
(``docs/explanation/decisions/033-hunts-that-grow-run-apart.md``).

A *weight* is an upper bound of a value's size, in stored values: a text or dynamic column weighs 1, the concatenation
of two weighs 2, numbers weigh 0. A size that depends on the data (``range(0, n)``) has no bound. Runs on the rewritten
plan, so that pruned columns do not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from driftline.kql import functions
from driftline.kql.functions import Growth
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import (
    Aggregate,
    Call,
    Col,
    Const,
    Expand,
    Fold,
    InPlan,
    Join,
    Plan,
    Project,
    Scalar,
    Shared,
    Subquery,
    Table,
    Union,
    Values,
    Window,
)

__all__ = ["grows"]

MOST = 512.0  # weight beyond which a value has grown
GATHERED = 64.0  # weight of the values of all rows of a group together (``make_list``)
CHARACTERS = 256  # of a stored value of weight 1
ELEMENTS = 32  # of a stored array of weight 1
TICKS_PER_US = 10
LARGE = frozenset(["string", "dynamic"])
Rule = Callable[[Call, Sequence[float]], float]


def grows(plan: Plan) -> bool:
    """Return whether some value of a plan may be larger than 512 stored values (131,072 characters)."""
    weights = _Weights()
    weights.weigh(plan)
    return weights.most > MOST


class _Weights:
    def __init__(self) -> None:
        self.most = 0.0  # greatest weight met so far
        self._columns: dict[str, float] = {}  # weight by column identifier
        self._shared: set[str] = set()  # names of the shared plans that were weighed

    def weigh(self, node: Plan) -> None:
        if isinstance(node, Shared):
            if node.name in self._shared:
                return
            self._shared.add(node.name)
        for below in walk.inputs(node):
            self.weigh(below)
        _PLANS.get(type(node), _Weights._others)(self, node)

    def _stored(self, node: Table) -> None:
        self._columns |= dict.fromkeys((column.id for column in node.columns), 1.0)

    def _given(self, node: Values) -> None:
        for index, column in enumerate(node.columns):
            self._columns[column.id] = max((self._value(row[index]) for row in node.rows), default=0.0)

    def _project(self, node: Project) -> None:
        weights = [self._value(value) for value in node.values]
        self._columns |= {column.id: weight for column, weight in zip(node.columns, weights, strict=True)}

    def _aggregate(self, node: Aggregate) -> None:
        weights = [self._value(value) for value in (*node.groups, *node.aggregates)]
        self._columns |= {column.id: weight for column, weight in zip(node.columns, weights, strict=True)}

    # A join repeats a row's values in many rows, so the list of a whole group (``GATHERED``) may be repeated: no bound.
    def _join(self, node: Join) -> None:
        self._value(node.condition)
        self._spread(column.id for column in node.columns)

    def _expand(self, node: Expand) -> None:
        for column, array in zip(node.elements, node.arrays, strict=True):
            self._columns[column.id] = self._value(array)
        self._spread(column.id for column in node.input.columns)

    def _spread(self, columns: Iterable[str]) -> None:
        for column in columns:
            if self._columns.get(column, 0.0) >= GATHERED:
                self._columns[column] = math.inf

    def _union(self, node: Union) -> None:
        for index, column in enumerate(node.columns):
            self._columns[column.id] = max(self._columns.get(each.columns[index].id, 0.0) for each in node.inputs)

    # A state is computed from the state before it, row by row: an expression that makes it larger once, such as
    # ``x = strcat(a.x, s)``, makes it larger with every row.
    def _fold(self, node: Fold) -> None:
        first = [self._value(value) for value in node.initial]
        for column, weight in zip((*node.before, *node.state), (*first, *first), strict=True):
            self._columns[column.id] = max(weight, 1.0)
        for column, value in zip(node.state, node.following, strict=True):
            own = [before.id for before in node.before]
            larger = self._value(value) > self._columns[column.id] and walk.columns_of(value) & set(own)
            self._columns[column.id] = math.inf if larger else self._value(value)
            self.most = max(self.most, self._columns[column.id])

    def _others(self, node: Plan) -> None:
        for value in walk.scalars(node):
            self._value(value)

    def _value(self, value: Scalar) -> float:
        if isinstance(value, Const):
            return len(str(value.value)) / CHARACTERS if value.type in LARGE else 0.0
        if isinstance(value, Col):
            return self._columns.get(value.id, 1.0) if value.type in LARGE else 0.0
        if isinstance(value, Call):
            return self._call(value)
        if isinstance(value, Window):
            return max((self._value(each) for each in walk.scalars(value)), default=0.0)
        self.weigh(value.plan)
        if isinstance(value, InPlan):
            return 0.0
        self._spread([value.plan.columns[0].id])
        return self._columns.get(value.plan.columns[0].id, 1.0)

    # The arguments of a call with a small result (``strlen(strcat(…))``) exist in every row and count, except a
    # subquery's value, which exists once for all rows.
    def _call(self, call: Call) -> float:
        weights = [self._value(arg) for arg in call.args]
        many = [weight for arg, weight in zip(call.args, weights, strict=True) if not isinstance(arg, Subquery)]
        made = _weight(call, weights) if call.type in LARGE else 0.0
        self.most = max(self.most, made, *many) if call.type not in LARGE else max(self.most, made)
        return made


_PLANS: dict[type, Callable[[_Weights, Any], None]] = {
    Table: _Weights._stored,
    Values: _Weights._given,
    Project: _Weights._project,
    Aggregate: _Weights._aggregate,
    Join: _Weights._join,
    Expand: _Weights._expand,
    Union: _Weights._union,
    Fold: _Weights._fold,
}


def _weight(call: Call, weights: Sequence[float]) -> float:
    growth = functions.find(call.function).growth
    return RULES[growth](call, weights) if isinstance(growth, Growth) else growth * sum(weights)


def _largest(_: Call, weights: Sequence[float]) -> float:
    return max(weights, default=0.0)


def _unbounded(_: Call, __: Sequence[float]) -> float:
    return math.inf


def _gathered(_: Call, weights: Sequence[float]) -> float:
    return GATHERED * max(1.0, *weights)


# ``strrep(text, 1000)``, ``repeat(x, 1000)``: without a constant count there is no bound.
def _repeated(call: Call, weights: Sequence[float]) -> float:
    count = call.args[1]
    often = float(count.value or 0) if isinstance(count, Const) else math.inf
    return often * (sum(weights) + 1 / ELEMENTS)


# ``range(first, last, step)``: the number of elements, known only of constants; a step of 0 gives no bound.
def _of_steps(ticks: int) -> Rule:
    def weigh(call: Call, _: Sequence[float]) -> float:
        values = [arg.value for arg in call.args if isinstance(arg, Const)]
        numbers = len(values) == len(call.args) and all(isinstance(value, (int, float)) for value in values)
        if not numbers or not values[2]:
            return math.inf
        return float(abs((values[1] - values[0]) / (values[2] / ticks)) / ELEMENTS)

    return weigh


# At worst the text consists of matches only, each of which becomes the replacement; an empty pattern matches between
# all characters.
def _replaced(*, text: bool) -> Rule:
    def weigh(call: Call, weights: Sequence[float]) -> float:
        pattern, new = call.args[1:3]
        if not isinstance(new, Const) or not isinstance(pattern, Const):
            return math.inf
        found = len(str(pattern.value)) if text else 1
        return weights[0] * max(1.0, len(str(new.value)) / max(found, 1) + (found == 0))

    return weigh


# ``strcat_array(list, delimiter)``: a delimiter behind each element, at worst elements of one character.
def _delimited_array(call: Call, weights: Sequence[float]) -> float:
    delimiter = call.args[1]
    return weights[0] * (1 + len(str(delimiter.value))) if isinstance(delimiter, Const) else math.inf


RULES: dict[Growth, Rule] = {
    Growth.LARGEST: _largest,
    Growth.GROUP: _gathered,
    Growth.UNBOUNDED: _unbounded,
    Growth.REPEATED: _repeated,
    Growth.STEPS: _of_steps(1),
    Growth.STEPS_IN_TICKS: _of_steps(TICKS_PER_US),
    Growth.REPLACED_TEXT: _replaced(text=True),
    Growth.REPLACED_PATTERN: _replaced(text=False),
    Growth.DELIMITED_ARRAY: _delimited_array,
    Growth.DELIMITED_ARGUMENTS: lambda call, weights: sum(weights) + weights[0] * len(call.args),
}
