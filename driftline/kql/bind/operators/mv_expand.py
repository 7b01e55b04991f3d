"""Bind mv-expand and mv-apply.

https://learn.microsoft.com/kusto/query/mv-expand-operator and …/mv-apply-operator
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables import pipelines, relations
from driftline.kql.bind.tables.column_names import ColumnNames, default_name
from driftline.kql.bind.tables.outputs import Output, kept, projected, ref
from driftline.kql.plan.nodes import Call, Column, Expand, Filter, Join, Key, Scalar

__all__ = ["OPERATORS"]


def bind_mv_expand(node: syntax.MvExpand, relation: Relation, scope: Scope) -> Relation:
    """Bind mv-expand: a row for each element.

    ``bagexpansion=array`` (or ``kind=array``) makes arrays of key and value of a bag's properties.
    """
    settings = {p.name: p.value for p in node.parameters}
    expanded, outputs = expand(
        node.items,
        relation,
        scope,
        index=settings.get("with_itemindex", ""),
        wide=settings.get("bagexpansion", settings.get("kind", "bag")) == "array",
    )
    return projected(bounded(node.limit, expanded, scope), outputs)


def bounded(limit: syntax.Expr | None, expanded: Relation, scope: Scope) -> Relation:
    """Keep the first ``limit`` elements of each array."""
    if limit is None:
        return expanded
    count = types.coerce(scope.with_row(None).scalar(limit), "long", scope=scope, span=limit.span)
    return expanded.over(Filter(expanded.plan, Call("<", (ref(expanded.plan.columns[-1]), count), "bool")))


def expand(
    items: tuple[syntax.Expanded, ...], relation: Relation, scope: Scope, *, index: str = "", wide: bool = False
) -> tuple[Relation, list[Output]]:
    """Expand arrays into rows, several arrays side by side.

    Returns the relation and the visible outputs; the number of the element, from 0, is the plan's last column.
    """
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    names = ColumnNames()
    arrays, elements = [], []
    for item in items:
        value = types.coerce(scope.scalar(item.item.value), "dynamic", scope=scope, span=item.span)
        name = names.of(item.item)
        element = scope.session.hidden("dynamic")
        # With bagexpansion=array, a property becomes an array of its key and value.
        arrays.append(Call("expand_wide" if wide else "expand_list", (value,), "dynamic"))
        elements.append(element)
        made_of: Scalar = (
            ref(element) if item.type in {None, "dynamic"} else types.converted(ref(element), item.type or "")
        )
        outputs[name] = (scope.session.column(name, made_of.type), made_of)
    number = scope.session.hidden("long")
    # with_itemindex shows the number of the element, from 0.
    if index:
        outputs[index] = (scope.session.column(index, "long"), ref(number))
    plan = Expand(relation.plan, tuple(arrays), tuple(elements), number)
    # Elements follow the order of their row; a table without order stays without.
    order = (*relation.order, Key(ref(number), descending=False, nulls_first=True)) if relation.order else ()
    return Relation(plan, order, relation.serialized, relation.partition), list(outputs.values())


def bind_mv_apply(node: syntax.MvApply, relation: Relation, scope: Scope) -> Relation:
    """Bind mv-apply: number the rows, expand them, run the body within each number, and join the rows back."""
    outer, number = relations.numbered(relation, scope)
    # The body must not see the outer identifiers, since both sides are joined afterwards.
    source = relations.renewed(Relation(outer.plan, partition=(ref(number),)), scope)
    body = pipelines.apply(node.body, _elements(node, source, scope.with_row(source)), scope.with_row(None))
    joined = Join("inner", outer.plan, body.plan, Call("==filter", (ref(number), body.partition[0]), "bool"))
    back = Relation(joined, outer.order + body.order, outer.serialized, outer.partition)
    return projected(back, kept(_columns_of_both(node, relation, source, body)))


def _elements(node: syntax.MvApply, source: Relation, scope: Scope) -> Relation:
    """Expand the arrays; the elements are in order, so that a body can rely on it."""
    settings = {p.name: p.value for p in node.parameters}
    expanded, outputs = expand(node.items, source, scope, index=settings.get("with_itemindex", ""))
    place = expanded.plan.columns[-1]
    order = (Key(ref(place), descending=False, nulls_first=True),)
    return projected(bounded(node.limit, Relation(expanded.plan, order, True, source.partition), scope), outputs)


def _columns_of_both(node: syntax.MvApply, relation: Relation, source: Relation, body: Relation) -> list[Column]:
    """Return the table's columns and the body's.

    Expanded arrays are replaced by their elements, and columns by what the body makes of them.
    """
    expanded = {name for item in node.items for name in (default_name(item.item.value), *item.item.names)}
    same = {c.id for c in source.columns}
    # Names of expanded columns belong to their elements.
    taken = {c.name for c in relation.columns} - expanded
    changed = {c.name: c for c in body.columns if c.name in taken and c.id not in same}
    new = [c for c in body.columns if c.name not in taken]
    replaced = {c.name for c in new}
    return [*(changed.get(c.name, c) for c in relation.columns if c.name not in replaced), *new]


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.MvExpand: bind_mv_expand,
    syntax.MvApply: bind_mv_apply,
}
