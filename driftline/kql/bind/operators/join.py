"""Bind join and lookup.

https://learn.microsoft.com/kusto/query/join-operator and …/lookup-operator
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.column_names import ColumnNames
from driftline.kql.bind.tables.outputs import Output, projected, ref
from driftline.kql.plan.nodes import Call, Col, Column, Distinct, Join, Scalar
from driftline.kql.text import hints
from driftline.kql.text.hints import instead

__all__ = ["OPERATORS"]


# Kusto's kind -> kind of join in the plan. The right-sided semi and anti joins swap the tables.
KINDS = {
    "innerunique": "inner",
    "inner": "inner",
    "leftouter": "left",
    "rightouter": "right",
    "fullouter": "full",
    "leftsemi": "semi",
    "leftanti": "anti",
    "leftantisemi": "anti",
    "anti": "anti",
    "rightsemi": "semi",
    "rightanti": "anti",
    "rightantisemi": "anti",
}


def bind_join(node: syntax.Join, left: Relation, scope: Scope) -> Relation:
    """Bind join (kind innerunique by default) or lookup (kind leftouter by default).

    innerunique keeps one row of the left table for each key, in the order of the table if it has one.
    """
    settings = {p.name: p for p in node.parameters}
    lookup = node.op == "lookup"
    kind = settings["kind"].value if "kind" in settings else "leftouter" if lookup else "innerunique"
    if kind not in KINDS or (lookup and kind not in {"leftouter", "inner"}):
        scope.fail(f"unknown kind of {node.op} '{kind}'{instead(kind, hints.JOINS, KINDS)}", settings["kind"].span)
    right = scope.with_row(None).table(node.table)
    # Rows of the right table alone belong to no partition.
    if left.partition and (kind.startswith("right") or kind == "fullouter"):
        scope.fail(f"not supported: a join of kind {kind} within the body of 'partition' or 'mv-apply'", node.span)
    pairs = [_condition(c, left, right, scope) for c in _conditions(node.conditions)]
    if not pairs:
        scope.fail(f"expected 'on' and the columns to {node.op} by", node.span)
    # Not a join of its own: one row of each key of the left table, then an inner join.
    if kind == "innerunique":
        by = (*(pair[0] for pair in pairs), *left.partition)
        left = left.over(Distinct(left.plan, by, left.order))
    # The engine's own equality, which holds for no null: null keys join with nothing.
    condition = Call("and", tuple(Call("==filter", pair, "bool") for pair in pairs), "bool")
    if kind.startswith("right") and kind != "rightouter":
        return Relation(Join(KINDS[kind], right.plan, left.plan, condition), right.order)
    joined = Join(KINDS[kind], left.plan, right.plan, condition)
    # Semi and anti joins only filter one table, whose order stays.
    if KINDS[kind] in {"semi", "anti"}:
        return Relation(joined, left.order, partition=left.partition)
    # lookup leaves out the right side's keys, which equal the left's.
    gone = {pair[1].id for pair in pairs if isinstance(pair[1], Col)} if lookup else set()
    return _joined_columns(joined, left, right, gone, scope)


def _conditions(nodes: tuple[syntax.Expr, ...]) -> list[syntax.Expr]:
    """Return the conditions one by one, whether commas or ``and`` separate them."""
    junctions = (node.operands if isinstance(node, syntax.Junction) and node.op == "and" else (node,) for node in nodes)
    return [each for junction in junctions for each in junction]


def _condition(node: syntax.Expr, left: Relation, right: Relation, scope: Scope) -> tuple[Scalar, Scalar]:
    """Bind a condition to a pair of values, left and right: a column's name, or ``$left.a == $right.b``."""
    if isinstance(node, syntax.Name):
        both = [scope.with_row(side).scalar(node) for side in (left, right)]
    elif isinstance(node, syntax.Binary) and node.op == "==":
        # A comparison of plain names does not say which table each is of.
        if "$" not in side_of(node.left) + side_of(node.right):
            scope.fail(f"expected a column, or $left.{_named(node.left)} == $right.{_named(node.right)}", node.span)
        inner = Scope(scope.session, scope.names, sides=(left, right))
        both = list(inner.scalars((node.left, node.right)))
        # The pair is left, right, in whichever order it is written.
        if side_of(node.left) == "$right":
            both.reverse()
    else:
        scope.fail("expected a column or $left.a == $right.b", node.span)
    _, values = types.common(both, scope=scope, span=node.span)
    return values[0], values[1]


def _named(node: syntax.Expr) -> str:
    """Return the name in a condition, for a message."""
    return node.name if isinstance(node, (syntax.Member, syntax.Name)) else "…"


def side_of(node: syntax.Expr) -> str:
    """Return the name that a path begins with: ``$left``, ``$right`` or another."""
    while isinstance(node, (syntax.Member, syntax.Index)):
        node = node.base
    return node.name if isinstance(node, syntax.Name) else ""


def _joined_columns(joined: Join, left: Relation, right: Relation, gone: set[str], scope: Scope) -> Relation:
    """Return the columns of both sides; a name of the right side that is taken gets a number."""
    names = ColumnNames(column.name for column in left.columns)
    outer = {"left": (False, True), "right": (True, False), "full": (True, True)}.get(joined.kind, (False, False))
    outputs = [_outer(c, c.name, empty=outer[0], scope=scope) for c in left.columns]
    outputs += [_outer(c, names.unique(c.name), empty=outer[1], scope=scope) for c in right.columns if c.id not in gone]
    return projected(Relation(joined, partition=left.partition), outputs)


def _outer(column: Column, name: str, *, empty: bool, scope: Scope) -> Output:
    """Return a column of one side; on a side that may be without a match, a string is empty instead of null."""
    made_of: Scalar = ref(column)
    if empty and column.type == "string":
        made_of = Call("text_or_empty", (made_of,), "string")
    return scope.session.column(name, column.type), made_of


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Join: bind_join,
}
