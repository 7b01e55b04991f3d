"""Bind summarize and count, and the aggregates that make several columns.

https://learn.microsoft.com/kusto/query/summarize-operator
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable

from driftline.kql import functions, syntax
from driftline.kql.bind.functions import aggregates
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.column_names import ColumnNames, default_name
from driftline.kql.bind.tables.outputs import Output, bound_or_null, check_named, grouped, kept, projected, ref
from driftline.kql.parse.cursor import Stuck
from driftline.kql.plan.nodes import Call, Const, Scalar, Values

__all__ = ["OPERATORS"]


def bind_summarize(node: syntax.Summarize, relation: Relation, scope: Scope) -> Relation:
    """Bind ``summarize aggregates by groups``.

    Expressions over aggregates are computed above the groups; see ``functions.aggregates``.
    """
    names = ColumnNames(_given_names(node, scope))
    groups: list[Output] = []
    for item in node.groups:
        value = bound_or_null(item.value, scope)
        groups.append((scope.session.column(names.of(item), value.type), value))
    # Outside of aggregates, expressions may read the groups' columns only.
    keyed = Relation(Values(tuple(c for c, _ in groups), ()))
    inner = Scope(scope.session, scope.names, relation=keyed, grouped=relation)
    outputs: list[Output] = []
    for item in node.aggregates:
        outputs += _aggregated(item, inner, names, {c.name for c, _ in groups})
    collected = grouped(relation, groups, list(inner.aggregates))
    return projected(collected, [*kept(c for c, _ in groups), *outputs])


def _given_names(node: syntax.Summarize, scope: Scope) -> set[str]:
    """Return the names that the query gives; they win over names from ``*`` and over default names."""
    said: set[str] = set()
    for item in (*node.groups, *node.aggregates):
        for name in item.names:
            if name in said:
                scope.fail(f"a column '{name}' already exists", item.span)
            said.add(name)
    return said


def _aggregated(item: syntax.Named, scope: Scope, names: ColumnNames, groups: set[str]) -> list[Output]:
    """Bind one item: one column, or several for arg_max, take_any and percentiles."""
    value = item.value
    if isinstance(value, syntax.Call):
        name = functions.ALIASES.get(value.name, value.name)
        if name in SEVERAL:
            return SEVERAL[name](name, item, value, scope, names, groups)
    try:
        check_named(value, scope)
        bound = scope.scalar(value)
    except Stuck:
        bound = Const("dynamic", None)
    return [(scope.session.column(names.of(item), bound.type), bound)]


def _arg_extreme(
    name: str, item: syntax.Named, call: syntax.Call, scope: Scope, names: ColumnNames, groups: set[str]
) -> list[Output]:
    """Bind ``arg_max(value, columns)`` or ``arg_min``: the value, and the columns of the row that has it.

    https://learn.microsoft.com/kusto/query/arg-max-aggregation-function
    """
    rows = scope.grouped
    assert rows is not None
    if len(call.arguments) < 1:
        scope.fail(f"expected {name}(value, columns)", call.span)
    inner = scope.with_row(rows)
    key = inner.scalar(call.arguments[0])
    first = default_name(call.arguments[0])
    wanted: list[tuple[str, Scalar]] = [(first or f"{name[4:]}_", key)]
    for argument in call.arguments[1:]:
        if isinstance(argument, syntax.Star):
            # ``*`` brings all columns but those that the result has already.
            skipped = {*groups, first}
            wanted += [
                (c.name, ref(c))
                for c in rows.columns
                if c.name not in skipped and fnmatch.fnmatchcase(c.name, argument.pattern)
            ]
        else:
            wanted.append((default_name(argument) or names.unnamed(), inner.scalar(argument)))
    # ``(a, b) = arg_max(…)`` names the columns in order; the others keep their own names.
    labels = dict(enumerate(item.names))
    outputs = []
    # The value itself is min or max; the other columns are those of the row that has it.
    place = _last_if_null(key, name)
    for number, (label, value) in enumerate(wanted):
        # arg_max and arg_min without their prefix are the aggregates max and min.
        function = name[4:] if number == 0 else name
        aggregate = Call(function, (value,) if number == 0 else (value, place), value.type)
        shown = labels.get(number) or names.unique(label)
        names.taken.add(shown)
        outputs.append((scope.session.column(shown, value.type), aggregates.collected(aggregate, scope)))
    return outputs


def _last_if_null(key: Scalar, name: str) -> Scalar:
    """Replace a null key by the worst value: such a row counts only where no row has a value."""
    ends = ENDS.get(key.type)
    return Call("coalesce_null", (key, Const(key.type, ends[name == "arg_min"])), key.type) if ends else key


# Least and greatest value of each type.
LEAST, MOST = -(2**63) + 1, 2**63 - 1
ENDS: dict[str, tuple[object, object]] = {
    "bool": (False, True),
    "int": (-(2**31), 2**31 - 1),
    "long": (LEAST, MOST),
    "timespan": (LEAST, MOST),
    "real": (-math.inf, math.inf),
    "datetime": (-62_135_596_800_000_000, 253_402_300_799_999_999),
}


def _take_any(
    name: str, item: syntax.Named, call: syntax.Call, scope: Scope, names: ColumnNames, groups: set[str]
) -> list[Output]:
    """Bind ``take_any(columns)``: a value of each, of any row."""
    rows = scope.grouped
    assert rows is not None
    outputs = []
    for argument in call.arguments:
        columns = [c for c in rows.columns if c.name not in groups] if isinstance(argument, syntax.Star) else None
        pairs = (
            [(c.name, ref(c)) for c in columns]
            if columns is not None
            else [(default_name(argument), scope.with_row(rows).scalar(argument))]
        )
        for label, value in pairs:
            label = f"any_{label}" if call.name == "any" else label  # noqa: PLW2901 -- the prefix of the former name
            shown = (
                item.names[0]
                if item.names and len(call.arguments) == 1 and columns is None
                else names.unique(label or "any_")
            )
            aggregate = Call("take_any", (value,), value.type)
            outputs.append((scope.session.column(shown, value.type), aggregates.collected(aggregate, scope)))
    return outputs


def _percentiles(
    name: str, item: syntax.Named, call: syntax.Call, scope: Scope, names: ColumnNames, groups: set[str]
) -> list[Output]:
    """Bind ``percentiles`` or ``percentilesw``: a column for each percentage."""
    outputs = []
    # A column for each percentage, as if each were asked for alone.
    weights = call.arguments[1:2] if name == "percentilesw" else ()
    single = "percentilew" if weights else "percentile"
    for number, percent in enumerate(call.arguments[1 + len(weights) :]):
        one = syntax.Call(single, (*call.arguments[:1], *weights, percent), span=call.span)
        value = scope.scalar(one)
        plain = syntax.Call("percentile", (call.arguments[0], percent), span=call.span)
        label = item.names[number] if number < len(item.names) else names.unique(default_name(plain))
        outputs.append((scope.session.column(label, value.type), value))
    return outputs


SEVERAL: dict[str, Callable[..., list[Output]]] = {
    "arg_max": _arg_extreme,
    "arg_min": _arg_extreme,
    "take_any": _take_any,
    "percentiles": _percentiles,
    "percentilesw": _percentiles,
}


def bind_count(node: syntax.Count, relation: Relation, scope: Scope) -> Relation:
    """Bind count: the number of rows, in the column Count."""
    return grouped(relation, [], [(scope.session.column("Count", "long"), Call("count", (), "long"))])


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Summarize: bind_summarize,
    syntax.Count: bind_count,
}
