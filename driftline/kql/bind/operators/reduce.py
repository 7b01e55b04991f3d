"""Bind reduce: groups of similar texts.

A library function (``driftline.store.udf.reduce``) makes the groups of one array of all distinct texts.
https://learn.microsoft.com/kusto/query/reduce-operator
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import constant
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables import relations
from driftline.kql.bind.tables.column_names import ColumnNames
from driftline.kql.bind.tables.outputs import grouped, kept, projected, ref
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Call, Column, Const, Expand, Join, Scalar, Shared

__all__ = ["OPERATORS"]

MOST_TEXTS = 20_000  # the most frequent; ``driftline.store.udf.reduce`` reads no more
THRESHOLD = 0.1
RESULT = (("Pattern", "string"), ("Count", "long"), ("Representative", "string"))


def bind_reduce(node: syntax.Reduce, relation: Relation, scope: Scope) -> Relation:
    """Bind reduce: a row for each pattern, with count and representative.

    With kind=source, the result is the rows with their pattern.
    """
    if node.kind == "source":
        return _with_patterns(node, relation, scope)
    if node.kind:
        scope.fail(f"unknown kind of reduce '{node.kind}'; there is source", node.span)
    texts, listed = _listed(types.converted(scope.scalar(node.value), "string"), relation, scope)
    found = Call("reduced_texts", (ref(listed), *_settings(node, scope)), "dynamic")
    return _rows(texts, found, RESULT, scope)


def _rows(source: Relation, found: Call, columns: tuple[tuple[str, str], ...], scope: Scope) -> Relation:
    """Make a row of each inner array of an array of arrays."""
    row = scope.session.column("group", "dynamic")
    cells = [Call("element", (ref(row), Const("long", place)), "dynamic") for place in range(len(columns))]
    outputs = [
        (scope.session.column(name, kind), types.converted(cell, kind))
        for (name, kind), cell in zip(columns, cells, strict=True)
    ]
    expanded = Expand(source.plan, (Call("expand_list", (found,), "dynamic"),), (row,), None)
    return projected(Relation(expanded), outputs)


def _with_patterns(node: syntax.Reduce, relation: Relation, scope: Scope) -> Relation:
    """Add the pattern of each row's text.

    The rows, computed once, are read twice: for their texts, and to be joined with the texts' patterns.
    """
    text = scope.session.column("Text", "string")
    value = types.converted(scope.scalar(node.value), "string")
    rows = relation.over(Shared(scope.session.fresh("rows"), walk.widened(relation.plan, [(text, value)])))
    again, first = relations.renewed(rows, scope), relations.renewed(rows, scope)
    texts, listed = _listed(ref(again.columns[-1]), again, scope)
    found = Call("reduced_patterns", (ref(listed), *_settings(node, scope)), "dynamic")
    pairs = _rows(texts, found, (("Text", "string"), ("Pattern", "string")), scope)
    # Texts beyond the most frequent have no pattern; they are shown as "others".
    known, pattern = map(ref, pairs.columns)
    alike = Call("==filter", (ref(first.columns[-1]), known), "bool")
    shown = Call("coalesce_null", (pattern, Const("string", "others")), "string")  # texts beyond MOST_TEXTS
    columns = first.columns[:-1]
    name = ColumnNames(column.name for column in columns).unique("Pattern")
    joined = first.over(Join("left", first.plan, pairs.plan, alike))
    return projected(joined, [*kept(columns), (scope.session.column(name, "string"), shown)])


def _settings(node: syntax.Reduce, scope: Scope) -> tuple[Const, Const]:
    """Return threshold and additional separators; Kusto's default threshold is 0.1."""
    threshold = constant(node.threshold, scope, "real") if node.threshold else THRESHOLD
    if not isinstance(threshold, float) or not 0 < threshold < 1:
        scope.fail("expected a threshold between 0 and 1", node.span)
    separators = constant(node.characters, scope, "string") if node.characters else ""
    return Const("real", threshold), Const("string", separators)


def _listed(text: Scalar, relation: Relation, scope: Scope) -> tuple[Relation, Column]:
    """Collect all distinct texts, with their counts, into one array; the most frequent first."""
    name, count = scope.session.column("Text", "string"), scope.session.column("Count", "long")
    counted = grouped(relation, [(name, text)], [(count, Call("count", (), "long"))])
    pair = Call("pack_array", tuple(types.converted(ref(each), "dynamic") for each in (name, count)), "dynamic")
    falling = Call("ordered_down", (ref(count),), "long")
    listed = scope.session.column("texts", "dynamic")
    all_of = Call("list_json_ordered", (pair, Const("long", MOST_TEXTS), falling), "dynamic")
    return grouped(counted, [], [(listed, all_of)]), listed


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Reduce: bind_reduce}
