"""Bind make-series: aggregate by bins, lay them on a grid of bins for each group, collect lists.

Bins are numbered from ``from``, or else from the first bin of all rows. A series reaches from
``from``, or else its own first bin, to ``to`` (not included), or else its own last bin.
https://learn.microsoft.com/kusto/query/make-series-operator
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arithmetic import arithmetic, compared
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.column_names import ColumnNames
from driftline.kql.bind.tables.outputs import Output, grouped, kept, kept_fresh, projected, ref
from driftline.kql.plan.nodes import Call, Column, Const, Filter, Join, Numbers, Plan, Scalar, Shared, Subquery
from driftline.kql.text.problems import Span

__all__ = ["OPERATORS"]

MOST_BINS = 1_048_576  # Kusto's limit of elements in an array


@dataclass(frozen=True, slots=True)
class Axis:
    """The axis: its value in a row, the beginning of the bins, their length, and the bounds of the series.

    ``start`` and ``stop`` are ``None`` where the query leaves the bound to the data.
    """

    value: Scalar
    zero: Scalar
    step: Scalar
    start: Scalar | None
    stop: Scalar | None
    scope: Scope
    span: Span

    def arithmetic(self, op: str, left: Scalar, right: Scalar) -> Scalar:
        """Bind arithmetic of the axis' type."""
        return arithmetic(op, left, right, scope=self.scope, span=self.span)

    def place(self, value: Scalar) -> Scalar:
        """Return the number of a value's bin, from 0 at ``zero``."""
        # Integer division gives the number of the bin at once; other ratios are rounded down.
        ratio = self.arithmetic("/", self.arithmetic("-", value, self.zero), self.step)
        if ratio.type == "long":
            return ratio
        return types.converted(Call("bin_number", (ratio, Const("real", 1.0)), "real"), "long")

    def point(self, number: Scalar) -> Scalar:
        """Return the beginning of a bin."""
        return self.arithmetic("+", self.zero, self.arithmetic("*", self.step, number))

    def length(self, stop: Scalar) -> Scalar:
        """Count the bins that begin before ``stop``, at most ``MOST_BINS``."""
        place = self.place(stop)
        more = compared("<", self.point(place), stop, scope=self.scope, span=self.span)
        length = Call("+", (place, Call("choose", (more, Const("long", 1), Const("long", 0)), "long")), "long")
        bounded = Call("max_of", (length, Const("long", 0)), "long")
        return Call("min_of", (bounded, Const("long", MOST_BINS)), "long")


@dataclass(frozen=True, slots=True)
class Binned:
    """The aggregates of each group and bin."""

    data: Relation
    groups: list[Column]
    place: Column
    series: list[Column]


def bind_make_series(node: syntax.MakeSeries, relation: Relation, scope: Scope) -> Relation:
    """Bind make-series: bin, lay out a grid of all bins, join, and collect arrays."""
    names = ColumnNames()
    axis, rows = _axis(node, relation, scope)
    binned = _binned(node, axis, rows, names=names, scope=scope)
    keys, number, grid, least = _grid(node, axis, binned, scope)
    same = [Call("same", (ref(a), ref(b)), "bool") for a, b in zip(keys, binned.groups, strict=True)]
    condition = Call("and", (*same, Call("==filter", (ref(number), ref(binned.place)), "bool")), "bool")
    full = Relation(Join("left", grid, binned.data.plan, condition))
    outputs: list[Output] = []
    for column, item in zip(binned.series, node.series, strict=True):
        # A bin of the grid without a partner in the data has no aggregate.
        filled = _filled(item, column, binned.place, scope)
        outputs.append((scope.session.column(column.name, "dynamic"), _listed(filled, number)))
    point = axis.point(ref(number))
    outputs.append((scope.session.column(names.of(node.axis), "dynamic"), _listed(point, number)))
    # Without groups, SQL makes a row even of no rows. Grouping by the first bin keeps an empty result empty.
    only = [] if keys or _nonempty(node) else [(scope.session.hidden("long"), ref(least))]
    return grouped(full, [*kept_fresh(keys, scope), *only], outputs)


def _axis(node: syntax.MakeSeries, relation: Relation, scope: Scope) -> tuple[Axis, Relation]:
    """Bind the axis; return it with the rows within its bounds."""
    span = node.span
    plain = scope.with_row(None)
    value = scope.scalar(node.axis.value)
    step = plain.scalar(node.step)
    start, stop = (None if bound is None else plain.scalar(bound) for bound in (node.start, node.stop))
    inside = [Call("isnotnull", (value,), "bool")]
    for op, bound in ((">=", start), ("<", stop)):
        if bound is not None:
            inside.append(compared(op, value, bound, scope=scope, span=span))  # type: ignore[arg-type]  # a call
    filtered = Filter(relation.plan, Call("and", tuple(inside), "bool"))
    # Without ``from``, the first bin of all rows is the zero of the numbering; it is known only to the engine.
    if start is not None:
        return Axis(value, start, step, start, stop, scope, span), relation.over(filtered)
    rows = relation.over(Shared(scope.session.fresh("rows"), filtered))
    # Bins begin at multiples of the step, as bin() cuts them.
    binned = scope.scalar(syntax.Call("bin", (node.axis.value, node.step), span=span))
    first = scope.session.column("first", binned.type)
    least = grouped(Relation(rows.plan), [], [(first, Call("min", (binned,), binned.type))])
    return Axis(value, Subquery(least.plan, binned.type), step, None, stop, scope, span), rows


def _binned(node: syntax.MakeSeries, axis: Axis, rows: Relation, *, names: ColumnNames, scope: Scope) -> Binned:
    """Group the rows by the groups and the number of the bin."""
    groups: list[Output] = []
    for item in node.groups:
        value = scope.scalar(item.value)
        groups.append((scope.session.column(names.of(item), value.type), value))
    place = scope.session.hidden("long")
    inner = Scope(scope.session, scope.names, grouped=rows)
    values = [inner.scalar(s.aggregate.value) for s in node.series]
    found = grouped(rows, [*groups, (place, axis.place(axis.value))], list(inner.aggregates))
    series = [scope.session.column(names.of(s.aggregate), v.type) for s, v in zip(node.series, values, strict=True)]
    columns = [column for column, _ in groups]
    outputs = [*kept([*columns, place]), *zip(series, values, strict=True)]
    data = Relation(Shared(scope.session.fresh("bins"), projected(found, outputs).plan))
    return Binned(data, columns, place, series)


def _grid(
    node: syntax.MakeSeries, axis: Axis, binned: Binned, scope: Scope
) -> tuple[list[Column], Column, Plan, Column]:
    """Lay out all bins of all groups.

    Returns the groups' columns, the bin's number, the plan of the grid, and each group's first bin.
    """
    number, least, most = (scope.session.hidden("long") for _ in range(3))
    bounds = [(least, Call("min", (ref(binned.place),), "long")), (most, Call("max", (ref(binned.place),), "long"))]
    combinations = grouped(binned.data, kept_fresh(binned.groups, scope), bounds)
    keys = list(combinations.columns)
    # With ``to``, every series ends there; without, each ends at its own last bin.
    if axis.stop is None:
        length: Scalar = Call("+", (_greatest(binned, scope), Const("long", 1)), "long")
        length = Call("min_of", (length, Const("long", MOST_BINS)), "long")
    else:
        length = axis.length(axis.stop)
    grid: Plan = Join("inner", combinations.plan, Numbers(number, length), Const("bool", True))
    # Without ``from``, a series begins at the first bin of its own group.
    wanted = [Call(">=", (ref(number), ref(least)), "bool")] if axis.start is None else []
    if axis.stop is None:
        wanted.append(Call("<=", (ref(number), ref(most)), "bool"))
    elif not node.groups and not _nonempty(node):
        wanted.append(Call("isnotnull", (ref(least),), "bool"))
    rows = Filter(grid, Call("and", tuple(wanted), "bool")) if wanted else grid
    return keys, number, rows, least


def _greatest(binned: Binned, scope: Scope) -> Scalar:
    """Return the greatest number of a bin of all groups, as a subquery."""
    column = scope.session.column("last", "long")
    found = grouped(binned.data, [], [(column, Call("max", (ref(binned.place),), "long"))])
    return Subquery(found.plan, "long")


def _nonempty(node: syntax.MakeSeries) -> bool:
    """Whether kind=nonempty asks for a series even of no rows."""
    return any(p.name == "kind" and p.value == "nonempty" for p in node.parameters)


def _filled(item: syntax.Series, column: Column, place: Column, scope: Scope) -> Scalar:
    """Replace the aggregate of a bin without rows by the default, 0 unless the query gives one."""
    default = scope.with_row(None).scalar(item.default) if item.default else Const("long", 0)
    empty = Call("isnull", (ref(place),), "bool")
    return Call("choose", (empty, types.converted(default, column.type), ref(column)), column.type)


def _listed(value: Scalar, number: Column) -> Scalar:
    """Collect values into an array, in the order of the bins."""
    return Call("list_json_all", (types.converted(value, "dynamic"), ref(number)), "dynamic")


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.MakeSeries: bind_make_series}
