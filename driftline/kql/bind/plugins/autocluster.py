"""``evaluate autocluster()``: patterns that many rows share.

A library function (``driftline.store.udf.autocluster``) finds the patterns in one array of all distinct rows.
https://learn.microsoft.com/kusto/query/autocluster-plugin
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.plugins.basket import wildcards
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.column_names import ColumnNames
from driftline.kql.bind.tables.outputs import Output, grouped, projected, ref
from driftline.kql.plan.nodes import Call, Column, Const, Expand, Scalar

__all__ = ["bind_autocluster"]

MOST_ROWS = 20_000  # the most frequent; ``driftline.store.udf.autocluster`` reads no more
MOST_COLUMNS = 10
WEIGHT, SEEDS = 0.5, 25  # Kusto's defaults
KINDS = frozenset(["string", "bool", "int", "long", "real", "datetime", "timespan", "guid"])


def bind_autocluster(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    """Bind ``autocluster(weight, column, seeds, wildcards…)``: a row for each pattern.

    A column that is not part of a pattern is null, or the empty string.
    """
    weight, seeds = _settings(node, scope)
    marks = wildcards(node.call.arguments[3:], scope)
    columns = [column for column in relation.columns if column.type in KINDS]
    if not 1 <= len(columns) <= MOST_COLUMNS:
        scope.fail(
            f"not supported: autocluster over other than 1 to {MOST_COLUMNS} columns; project them first", node.span
        )
    rows, listed = _listed(columns, relation, scope)
    found = Call("clustered_rows", (ref(listed), Const("real", weight), Const("long", seeds)), "dynamic")
    pattern, place = scope.session.column("pattern", "dynamic"), scope.session.column("SegmentId", "long")
    expanded = Expand(rows.plan, (Call("expand_list", (found,), "dynamic"),), (pattern,), place)
    names = ColumnNames(["SegmentId"])
    outputs: list[Output] = [(place, ref(place))]
    for number, (name, kind) in enumerate(
        [("Count", "long"), ("Percent", "real"), *((c.name, c.type) for c in columns)]
    ):
        cell = Call("element", (ref(pattern), Const("long", number)), "dynamic")
        value = types.converted(cell, kind)
        # The first two cells are count and percentage.
        if number > 1 and kind in marks:
            value = Call("choose", (Call("isnull", (cell,), "bool"), marks[kind], value), kind)
        outputs.append((scope.session.column(names.unique(name), kind), value))
    return projected(Relation(expanded), outputs)


def _settings(node: syntax.Evaluate, scope: Scope) -> tuple[float, int]:
    """Read the weight of size and the number of seeds; ``~`` means the default."""
    given = [scope.scalar(argument) for argument in node.call.arguments[:3]]
    values = [value.value if isinstance(value, Const) else value for value in given]
    weight, column, seeds = [*(None if value == "~" else value for value in values), None, None, None][:3]
    if column is not None:
        scope.fail("not supported: autocluster with weights", node.span)
    if weight is not None and not (isinstance(weight, (int, float)) and 0 < weight < 1):
        scope.fail("expected a weight of the size between 0 and 1", node.span)
    if seeds is not None and not (isinstance(seeds, int) and 0 < seeds <= 100):
        scope.fail("expected a number of seeds from 1 to 100", node.span)
    return float(weight or WEIGHT), int(seeds or SEEDS)


def _listed(columns: list[Column], relation: Relation, scope: Scope) -> tuple[Relation, Column]:
    """Collect all distinct rows as texts, with their counts, into one array; the most frequent first."""
    # The library sees texts only; the patterns' cells are converted back to the columns' types.
    texts: list[Output] = [(scope.session.column(c.name, "string"), types.converted(ref(c), "string")) for c in columns]
    count, listed = scope.session.column("Count", "long"), scope.session.column("rows", "dynamic")
    counted = grouped(relation, texts, [(count, Call("count", (), "long"))])
    cells: tuple[Scalar, ...] = tuple(types.converted(ref(column), "dynamic") for column, _ in (*texts, (count, None)))
    falling = Call("ordered_down", (ref(count),), "long")
    all_of = Call(
        "list_json_ordered", (Call("pack_array", cells, "dynamic"), Const("long", MOST_ROWS), falling), "dynamic"
    )
    return grouped(counted, [], [(listed, all_of)]), listed
