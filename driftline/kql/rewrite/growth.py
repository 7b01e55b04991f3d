"""Whether values may grow far beyond those that are stored; changes nothing.

An engine computes some thousand values of a column at once, and DuckDB neither counts what their
arrays and texts take nor hears that it shall stop meanwhile. As long as values weigh about what
stored ones do, that is little. Weights are counted in stored values: a column weighs 1, two
joined weigh 2; what cannot be told, such as an array of as many elements as a column says, is
without bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

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
    Subquery,
    Table,
    Union,
    Values,
    Window,
)

__all__ = ["grows"]

MOST = 512.0
GATHERED = 64.0  # of all the rows of a group together
CHARACTERS = 256  # of a stored value
ELEMENTS = 32  # of a stored array
TICKS_PER_US = 10
LARGE = frozenset(["string", "dynamic"])
Rule = Callable[[Call, Sequence[float]], float]


def grows(plan: Plan) -> bool:
    """Say whether some value of a plan may weigh more than some hundred stored ones."""
    scale = _Scale()
    scale.weigh(plan)
    return scale.most > MOST


class _Scale:
    def __init__(self) -> None:
        self.most = 0.0
        self._columns: dict[str, float] = {}

    def weigh(self, node: Plan) -> None:
        for below in walk.inputs(node):
            self.weigh(below)
        _PLANS.get(type(node), _Scale._others)(self, node)

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

    # What all rows of a group weigh together may now come with each of many rows.
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

    # Row by row a state goes on from the one before: what makes it larger once does so without end.
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

    # A subquery's value is one for all rows.
    def _call(self, call: Call) -> float:
        weights = [self._value(arg) for arg in call.args]
        many = [weight for arg, weight in zip(call.args, weights, strict=True) if not isinstance(arg, Subquery)]
        made = RULES.get(call.function, _joined)(call, weights) if call.type in LARGE else 0.0
        self.most = max(self.most, made, *many) if call.type not in LARGE else max(self.most, made)
        return made


_PLANS: dict[type, Callable[[_Scale, Any], None]] = {
    Table: _Scale._stored,
    Values: _Scale._given,
    Project: _Scale._project,
    Aggregate: _Scale._aggregate,
    Join: _Scale._join,
    Expand: _Scale._expand,
    Union: _Scale._union,
    Fold: _Scale._fold,
}


def _joined(_: Call, weights: Sequence[float]) -> float:
    return sum(weights)


def _one_of(_: Call, weights: Sequence[float]) -> float:
    return max(weights, default=0.0)


def _unbounded(_: Call, __: Sequence[float]) -> float:
    return math.inf


def _gathered(_: Call, weights: Sequence[float]) -> float:
    return GATHERED * max(1.0, *weights)


def _times(factor: float) -> Rule:
    return lambda _, weights: factor * sum(weights)


# A text or an array, and how often.
def _counted(call: Call, weights: Sequence[float]) -> float:
    count = call.args[1]
    often = float(count.value or 0) if isinstance(count, Const) else math.inf
    return often * (sum(weights) + 1 / ELEMENTS)


def _of_steps(call: Call, _: Sequence[float]) -> float:
    values = [arg.value for arg in call.args if isinstance(arg, Const)]
    if len(values) < len(call.args) or not all(isinstance(value, (int, float)) for value in values) or not values[2]:
        return math.inf
    step = values[2] / TICKS_PER_US if call.function == "range_moments" else values[2]
    return float(abs((values[1] - values[0]) / step) / ELEMENTS)


# As often as the text has characters, at worst.
def _replaced(call: Call, weights: Sequence[float]) -> float:
    pattern, new = call.args[1:3]
    if not isinstance(new, Const) or not isinstance(pattern, Const):
        return math.inf
    found = len(str(pattern.value)) if call.function == "replace_string" else 1
    return weights[0] * max(1.0, len(str(new.value)) / max(found, 1) + (found == 0))


def _delimited(call: Call, weights: Sequence[float]) -> float:
    delimiter = call.args[1]
    return weights[0] * (1 + len(str(delimiter.value))) if isinstance(delimiter, Const) else math.inf


GATHERING = ("make_list", "make_list_if", "make_list_with_nulls", "make_set", "make_set_if", "make_bag", "make_bag_if")
RULES: dict[str, Rule] = {
    **dict.fromkeys(("iff", "case", "choose", "coalesce", "coalesce_null", "min_of", "max_of"), _one_of),
    **dict.fromkeys((*GATHERING, "list_json", "list_json_all", "list_json_ordered", "set_json", "bag_json"), _gathered),
    **dict.fromkeys(("to_json", "bag_pack", "pack_array", "pack_all", "bag_pack_columns"), _times(2)),
    **dict.fromkeys(("dynamic_to_json", "base64_encode_tostring", "base64_encode_fromarray", "zip_two"), _times(2)),
    **dict.fromkeys(("url_encode", "url_encode_component", "base64_decode_toarray"), _times(3)),
    "unicode_codepoints_from_string": _times(8),
    **dict.fromkeys(("strrep", "repeat_text", "repeat_array"), _counted),
    **dict.fromkeys(("range_whole", "range_real", "range_spans", "range_moments"), _of_steps),
    **dict.fromkeys(("treepath", "reduced_texts", "reduced_patterns", "clustered_rows"), _unbounded),
    **dict.fromkeys(
        ("gzip_decompress_from_base64_string", "zlib_decompress_from_base64_string", "replace_strings"), _unbounded
    ),
    **dict.fromkeys(("replace_string", "replace_regex"), _replaced),
    "strcat_array": _delimited,
    "strcat_delim": lambda call, weights: sum(weights) + weights[0] * len(call.args),
}
