"""Bind make-series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from driftline.kql import syntax
from driftline.kql.bind import scalars, tables, types
from driftline.kql.bind.operators.common import Names, Output, grouped, kept, kept_fresh, projected, ref
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.plan import (
    Call,
    Column,
    Const,
    Filter,
    Join,
    Numbers,
    Scalar,
    Values,
)
from driftline.kql.problems import Span

__all__ = ["OPERATORS"]


def bind_make_series(node: syntax.MakeSeries, relation: Relation, scope: Scope) -> Relation:
    """Aggregate by bins, lay them on a full grid of bins for each group, and collect the lists."""
    if node.start is None or node.stop is None:
        scope.fail("not supported: make-series without 'from' and 'to'", node.span)
    span = node.span
    axis = scalars.bind_scalar(node.axis.value, scope)
    start, stop, step = scalars.bind_each((node.start, node.stop, node.step), scope.with_row(None))
    names = Names()
    groups = [
        (scope.session.column(names.of(g), v.type), v)
        for g in node.groups
        for v in [scalars.bind_scalar(g.value, scope)]
    ]
    inside = Call(
        "and",
        (
            scalars.compared(">=", axis, start, scope=scope, span=span),
            scalars.compared("<", axis, stop, scope=scope, span=span),
        ),
        "bool",
    )
    rows = Relation(Filter(relation.plan, inside), relation.order)
    place = _place(axis, start, step, scope=scope, span=span)
    bin_column = scope.session.hidden("long")
    inner = Scope(scope.session, scope.names, relation=None, grouped=rows)
    values = [scalars.bind_scalar(s.aggregate.value, inner) for s in node.series]
    binned = grouped(rows, [*groups, (bin_column, place)], list(inner.aggregates))
    series = [
        (scope.session.column(names.of(s.aggregate), v.type), v) for s, v in zip(node.series, values, strict=True)
    ]
    data = projected(binned, [*kept(c for c, _ in groups), (bin_column, ref(bin_column)), *series])
    combinations = grouped(data, kept_fresh([c for c, _ in groups], scope), []) if groups else _one(scope)
    number = scope.session.hidden("long")
    count = _series_length(start, stop, step, scope=scope, span=span)
    grid = Join("inner", combinations.plan, Numbers(number, count), Const("bool", True))
    keys = [c for c in combinations.columns if groups]
    same = tuple(Call("same", (ref(a), ref(b)), "bool") for a, (b, _) in zip(keys, groups, strict=True))
    full = Join(
        "left",
        grid,
        renamed_bins(data),
        Call("and", (*same, Call("==filter", (ref(number), ref(bin_column)), "bool")), "bool"),
    )
    outputs: list[Output] = []
    for (column, value), item in zip(series, node.series, strict=True):
        default = scalars.bind_scalar(item.default, scope.with_row(None)) if item.default else Const("long", 0)
        filled = Call(
            "choose",
            (Call("isnull", (ref(bin_column),), "bool"), types.converted(default, value.type), ref(column)),
            value.type,
        )
        outputs.append((scope.session.column(column.name, "dynamic"), _listed(filled, number)))
    point = scalars.arithmetic(
        "+", start, scalars.arithmetic("*", step, ref(number), scope=scope, span=span), scope=scope, span=span
    )
    outputs.append((scope.session.column(names.of(node.axis), "dynamic"), _listed(point, number)))
    return grouped(Relation(full), kept_fresh(keys, scope), outputs)


def renamed_bins(data: Relation) -> Any:
    return data.plan


def _one(scope: Scope) -> Relation:
    column = scope.session.hidden("long")
    return Relation(Values((column,), ((Const("long", 0),),)))


def _place(axis: Scalar, start: Scalar, step: Scalar, *, scope: Scope, span: Span) -> Scalar:
    distance = scalars.arithmetic("-", axis, start, scope=scope, span=span)
    ratio = scalars.arithmetic("/", distance, step, scope=scope, span=span)
    return (
        ratio
        if ratio.type == "long"
        else types.converted(Call("bin_number", (ratio, Const("real", 1.0)), "real"), "long")
    )


def _series_length(start: Scalar, stop: Scalar, step: Scalar, *, scope: Scope, span: Span) -> Scalar:
    place = _place(stop, start, step, scope=scope, span=span)
    end = scalars.arithmetic(
        "+", start, scalars.arithmetic("*", step, place, scope=scope, span=span), scope=scope, span=span
    )
    more = scalars.compared("<", end, stop, scope=scope, span=span)
    length = Call("+", (place, Call("choose", (more, Const("long", 1), Const("long", 0)), "long")), "long")
    return Call(
        "min_of", (Call("max_of", (length, Const("long", 0)), "long"), Const("long", tables.MOST_STEPS)), "long"
    )


def _listed(value: Scalar, number: Column) -> Scalar:
    return Call("list_json_all", (types.converted(value, "dynamic"), ref(number)), "dynamic")


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.MakeSeries: bind_make_series,
}
