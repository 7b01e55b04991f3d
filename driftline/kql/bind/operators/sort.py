"""Bind operators on the order and number of rows: sort, top, top-hitters, take, sample, serialize.

https://learn.microsoft.com/kusto/query/sort-operator and …/top-operator
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import functions, syntax
from driftline.kql.bind.functions.signatures import bind_call_to
from driftline.kql.bind.operators.project import bind_extend
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.column_names import default_name
from driftline.kql.bind.tables.outputs import Output, grouped, kept, limited, projected, ref
from driftline.kql.plan.nodes import Call, Col, Const, Key

__all__ = ["OPERATORS"]


def sort_keys(keys: tuple[syntax.Key, ...], relation: Relation, scope: Scope) -> tuple[Relation, tuple[Key, ...]]:
    """Bind sort keys; computed keys become hidden columns.

    The order is descending unless the query says otherwise; nulls come last then, and first in ascending order.
    Rows of equal keys keep the order they had, if any.
    """
    outputs: list[Output] = kept(relation.columns)
    found = []
    for key in keys:
        value = scope.scalar(key.value)
        # Dynamic values have no order of their own in the engines; their text has one.
        if value.type == "dynamic":
            value = types.converted(value, "string")
        if not isinstance(value, Col):
            column = scope.session.hidden(value.type)
            outputs.append((column, value))
            value = ref(column)
        # https://learn.microsoft.com/kusto/query/sort-operator: desc is the default, and nulls follow the direction.
        descending = key.descending is not False
        nulls_first = key.nulls == "first" if key.nulls else not descending
        found.append(Key(value, descending, nulls_first))
    # A projection is needed only where a key is computed.
    computed = len(outputs) > len(relation.columns)
    widened = projected(relation, outputs) if computed else relation
    return widened, (*found, *(key for key in relation.order if key.value not in [each.value for each in found]))


def bind_sort(node: syntax.Sort, relation: Relation, scope: Scope) -> Relation:
    """Bind sort, which serializes the rows."""
    widened, keys = sort_keys(node.keys, relation, scope)
    return Relation(widened.plan, keys, serialized=True, partition=relation.partition)


def bind_top(node: syntax.Top, relation: Relation, scope: Scope) -> Relation:
    """Bind top: the first rows by the keys."""
    widened, keys = sort_keys(node.keys, relation, scope)
    count = types.coerce(scope.with_row(None).scalar(node.count), "long", scope=scope, span=node.count.span)
    ordered = Relation(widened.plan, keys, serialized=True, partition=relation.partition)
    return limited(ordered, keys, count, scope)


def bind_limit(node: syntax.Limit, relation: Relation, scope: Scope) -> Relation:
    """Bind take, the first rows, or sample, random rows."""
    count = types.coerce(scope.with_row(None).scalar(node.count), "long", scope=scope, span=node.count.span)
    keys = relation.order
    # Any random order will do; the rows are then limited as by take.
    if node.op == "sample":
        keys = (Key(Call("rand", (Const("long", None),), "real"), descending=False, nulls_first=True),)
    return limited(relation, keys, count, scope)


def bind_sample_distinct(node: syntax.SampleDistinct, relation: Relation, scope: Scope) -> Relation:
    """Bind sample-distinct: any so many different values; here the first that the engine finds.

    https://learn.microsoft.com/kusto/query/sample-distinct-operator
    """
    value = scope.scalar(node.value)
    column = scope.session.column(default_name(node.value) or "Column1", value.type)
    # Grouping makes the values distinct; take then limits them.
    found = grouped(relation, [(column, value)], [])
    return bind_limit(syntax.Limit("take", node.count, span=node.span), found, scope)


def bind_top_hitters(node: syntax.TopHitters, relation: Relation, scope: Scope) -> Relation:
    """Bind top-hitters: the most frequent values, or those of the greatest weight.

    Kusto's counts are approximate, as the names of the columns say; these are exact.
    https://learn.microsoft.com/kusto/query/top-hitters-operator
    """
    value = scope.scalar(node.value)
    name = default_name(node.value) or "Column1"
    # Kusto's own names, although the counts here are exact.
    weight = f"approximate_sum_{default_name(node.weight)}" if node.weight else f"approximate_count_{name}"
    aggregate = Call("count", (), "long")
    if node.weight:
        aggregate = bind_call_to(
            functions.AGGREGATES["sum"],
            syntax.Call("sum", (node.weight,), span=node.span),
            (scope.scalar(node.weight),),
            scope,
        )  # type: ignore[assignment]
    column = scope.session.column(weight, aggregate.type)
    found = grouped(relation, [(scope.session.column(name, value.type), value)], [(column, aggregate)])
    keys = (Key(ref(column), descending=True, nulls_first=False),)
    count = types.coerce(scope.with_row(None).scalar(node.count), "long", scope=scope, span=node.span)
    return limited(Relation(found.plan, keys, serialized=True, partition=relation.partition), keys, count, scope)


def bind_serialize(node: syntax.Serialize, relation: Relation, scope: Scope) -> Relation:
    """Bind serialize: the rows are taken as they come, so that window functions may follow.

    https://learn.microsoft.com/kusto/query/serialize-operator
    """
    serialized = Relation(relation.plan, relation.order, serialized=True, partition=relation.partition)
    if not node.items:
        return serialized
    return bind_extend(syntax.Columns("extend", node.items, span=node.span), serialized, scope.with_row(serialized))


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Sort: bind_sort,
    syntax.Top: bind_top,
    syntax.TopHitters: bind_top_hitters,
    syntax.Limit: bind_limit,
    syntax.SampleDistinct: bind_sample_distinct,
    syntax.Serialize: bind_serialize,
}
