"""``evaluate ipv4_lookup()`` and ``ipv6_lookup()``: rows of a table by the network an address lies in.

https://learn.microsoft.com/kusto/query/ipv4-lookup-plugin
"""

from __future__ import annotations

from collections.abc import Sequence

from driftline.kql import functions, syntax
from driftline.kql.bind.functions.signatures import bind_call_to
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import constant
from driftline.kql.bind.scalars.arithmetic import compared
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables import relations
from driftline.kql.bind.tables.column_names import ColumnNames
from driftline.kql.bind.tables.outputs import Output, kept, projected, ref
from driftline.kql.plan.nodes import Call, Column, Const, Filter, Join, Scalar

__all__ = ["bind_ip_lookup"]


def bind_ip_lookup(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    """Bind ``ipv4_lookup(table, address, network, keys, return_unmatched)`` or ``ipv6_lookup``."""
    version = node.call.name.removesuffix("_lookup")
    # return_unmatched may be given by name, or as a last constant.
    named = {a.names[0]: a.value for a in node.call.arguments if isinstance(a, syntax.Named) and a.names}
    plain = [a for a in node.call.arguments if not isinstance(a, syntax.Named)]
    unmatched = named.get("return_unmatched")
    if len(plain) > 3 and isinstance(plain[-1], syntax.Literal):
        unmatched = plain.pop()
    if len(plain) < 3:
        scope.fail(f"expected {node.call.name}(table, address, network, keys, return_unmatched)", node.span)
    keep = unmatched is not None and bool(constant(unmatched, scope, "bool"))
    # Matches are found by an inner join, and joined back by the number of the row.
    outer, number = relations.numbered(relation, scope)
    source = relations.renewed(Relation(outer.plan, partition=(ref(number),)), scope)
    right = scope.with_row(None).table(plain[0])
    address = types.coerce(scope.with_row(source).scalar(plain[1]), "string", scope=scope, span=plain[1].span)
    network = scope.with_row(right).scalar(plain[2])
    within = bind_call_to(functions.FUNCTIONS[f"{version}_is_in_range"], node.call, (address, network), scope)
    # Not as the join's condition: ClickHouse joins outer sides by equality alone.
    keys = tuple(_same_key(key, source, right, scope) for key in plain[3:])
    matched = Filter(Join("inner", source.plan, right.plan, Const("bool", True)), Call("and", (within, *keys), "bool"))
    same = Call("==filter", (ref(number), source.partition[0]), "bool")
    joined = Join("left" if keep else "inner", outer.plan, matched, same)
    return projected(outer.over(joined), _looked_up(relation.columns, right.columns, version, scope))


def _same_key(key: syntax.Expr, source: Relation, right: Relation, scope: Scope) -> Scalar:
    """Return the condition that a further key, a column of both tables, is equal."""
    left, other = scope.with_row(source).scalar(key), scope.with_row(right).scalar(key)
    return compared("==", left, other, scope=scope, span=key.span)


def _looked_up(source: Sequence[Column], found: Sequence[Column], version: str, scope: Scope) -> list[Output]:
    """Return the columns of the result: the source's first for IPv4, the looked-up ones first for IPv6, as in Kusto."""
    names = ColumnNames(c.name for c in source)
    columns: list[Output] = []
    for column in found:
        value: Scalar = Call("text_or_empty", (ref(column),), "string") if column.type == "string" else ref(column)
        columns.append((scope.session.column(names.unique(column.name), column.type), value))
    return columns + kept(source) if version == "ipv6" else kept(source) + columns
