"""Bind mv-expand and mv-apply."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind import scalars, tables, types
from driftline.kql.bind.operators.common import Names, Output, default_name, kept, projected, ref
from driftline.kql.bind.operators.order import sort_keys
from driftline.kql.bind.operators.summaries import bind_summarize
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.plan import (
    Call,
    Col,
    Column,
    Expand,
    Filter,
    Join,
    Key,
    Project,
    Scalar,
    Shared,
    Window,
)

__all__ = ["OPERATORS"]


def bind_mv_expand(node: syntax.MvExpand, relation: Relation, scope: Scope) -> Relation:
    settings = {p.name: p.value for p in node.parameters}
    expanded, outputs = expand(
        node.items,
        relation,
        scope,
        index=settings.get("with_itemindex", ""),
        wide=settings.get("bagexpansion", settings.get("kind", "bag")) == "array",
    )
    if node.limit is not None:
        limit = types.coerce(
            scalars.bind_scalar(node.limit, scope.with_row(None)), "long", scope=scope, span=node.limit.span
        )
        bounded = Filter(expanded.plan, Call("<", (ref(expanded.plan.columns[-1]), limit), "bool"))
        expanded = Relation(bounded, expanded.order, expanded.serialized)
    return projected(expanded, outputs)


def expand(
    items: tuple[syntax.Expanded, ...], relation: Relation, scope: Scope, *, index: str = "", wide: bool = False
) -> tuple[Relation, list[Output]]:
    """Expand arrays into rows; give the table and the columns the user sees."""
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    names = Names()
    arrays, elements = [], []
    for item in items:
        value = types.coerce(scalars.bind_scalar(item.item.value, scope), "dynamic", scope=scope, span=item.span)
        name = names.of(item.item)
        element = scope.session.hidden("dynamic")
        arrays.append(Call("expand_wide" if wide else "expand_list", (value,), "dynamic"))
        elements.append(element)
        made_of: Scalar = (
            ref(element) if item.type in {None, "dynamic"} else types.converted(ref(element), item.type or "")
        )
        outputs[name] = (scope.session.column(name, made_of.type), made_of)
    number = scope.session.hidden("long")
    if index:
        outputs[index] = (scope.session.column(index, "long"), ref(number))
    plan = Expand(relation.plan, tuple(arrays), tuple(elements), number)
    return Relation(plan, relation.order, relation.serialized), list(outputs.values())


def bind_mv_apply(node: syntax.MvApply, relation: Relation, scope: Scope) -> Relation:
    """Number the rows, expand them, run the body for each number, and join the rows back.

    The number travels as the order of the body's rows, which every row-wise operator keeps.
    """
    number = scope.session.hidden("long")
    numbered = projected(
        relation, [*kept(relation.columns), (number, Window(Call("number_row", (), "long"), relation.order))]
    )
    shared = Shared(scope.session.fresh("rows"), numbered.plan)
    outer = Relation(shared, relation.order, relation.serialized)
    source = tables.renewed(Relation(shared, (Key(ref(number), descending=False, nulls_first=True),)), scope)
    expanded, outputs = expand(node.items, source, scope.with_row(source))
    body = projected(expanded, outputs)
    for operator in node.body:
        body = _within(operator, body, scope)
    key = body.order[0].value
    joined = Join("inner", outer.plan, body.plan, Call("==filter", (ref(number), key), "bool"))
    taken = {c.name for c in relation.columns}
    new = [
        c
        for c in body.columns
        if c.name not in taken
        or any(default_name(i.item.value) == c.name or c.name in i.item.names for i in node.items)
    ]
    replaced = {c.name for c in new}
    shown = [c for c in relation.columns if c.name not in replaced]
    return projected(Relation(joined, outer.order, outer.serialized), kept([*shown, *new]))


def _within(operator: syntax.Operator, body: Relation, scope: Scope) -> Relation:
    """Apply an operator of a body separately to the rows of each number."""
    key = body.order[0]
    assert isinstance(key.value, Col)
    inside = scope.with_row(body)
    if isinstance(operator, syntax.Summarize):
        return _summarize_within(operator, body, key, scope)
    if isinstance(operator, syntax.Top) or (isinstance(operator, syntax.Limit) and operator.op == "take"):
        wide, keys = sort_keys(operator.keys, body, inside) if isinstance(operator, syntax.Top) else (body, ())
        count = types.coerce(
            scalars.bind_scalar(operator.count, scope.with_row(None)), "long", scope=scope, span=operator.span
        )
        place = scope.session.hidden("long")
        window = Window(Call("number_row", (), "long"), keys, (key.value,))
        counted = projected(wide, [*kept(wide.plan.columns), (place, window)])
        return Relation(Filter(counted.plan, Call("<=", (ref(place), count), "bool")), (key,))
    if isinstance(operator, syntax.Where) or (isinstance(operator, syntax.Columns) and operator.op != "distinct"):
        return tables.OPERATORS[type(operator)](operator, body, inside)
    scope.fail(
        "not supported: this operator within mv-apply; where, project, extend, summarize, top and take are",
        operator.span,
    )


def _summarize_within(node: syntax.Summarize, body: Relation, key: Key, scope: Scope) -> Relation:
    assert isinstance(key.value, Col)
    carried = Column(key.value.id, "long", "$number")
    plan = Project(body.plan, (*body.columns, carried), tuple(map(ref, (*body.columns, carried))))
    groups = (*node.groups, syntax.Named((), syntax.Name("$number", span=node.span), span=node.span))
    named = syntax.Summarize(node.aggregates, groups, span=node.span)
    grouped_by = bind_summarize(named, Relation(plan), scope.with_row(Relation(plan)))
    number = next(c for c in grouped_by.columns if c.name == "$number")
    hidden = Column(scope.session.fresh("order"), "long")
    outputs = [*kept(c for c in grouped_by.columns if c.name != "$number"), (hidden, ref(number))]
    return Relation(projected(grouped_by, outputs).plan, (Key(ref(hidden), descending=False, nulls_first=True),))


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.MvExpand: bind_mv_expand,
    syntax.MvApply: bind_mv_apply,
}
