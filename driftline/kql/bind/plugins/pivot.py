"""``evaluate pivot()``: a column for each value of a column.

https://learn.microsoft.com/kusto/query/pivot-plugin
"""

from __future__ import annotations

from driftline.kql import functions, syntax
from driftline.kql.bind.plugins.result_columns import declared, discovered
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.column_names import ColumnNames
from driftline.kql.bind.tables.outputs import Output, grouped, kept, kept_fresh, projected, ref
from driftline.kql.plan.nodes import Call, Column, Const, Scalar

__all__ = ["bind_pivot"]


def bind_pivot(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    """Bind ``pivot(column, aggregate, columns)``.

    Without an aggregate, rows are counted; without further columns, the rows are grouped by all columns that neither
    the pivot column nor the aggregate names.
    """
    if not node.call.arguments:
        scope.fail("expected pivot(column, aggregate, columns)", node.span)
    over, *rest = node.call.arguments
    counting = syntax.Call("count", (), span=node.span)
    # The second argument is an aggregate, or already a column to group by.
    aggregate = rest[0] if rest and isinstance(rest[0], syntax.Call) else counting
    places = rest[1:] if rest and isinstance(rest[0], syntax.Call) else rest
    value = types.converted(scope.scalar(over), "string")
    groups = kept_fresh(_pivot_groups(over, aggregate, places, relation, scope), scope)
    key = scope.session.hidden("string")
    inner = Scope(scope.session, scope.names, grouped=relation)
    result = inner.scalar(aggregate)
    # First a group for each value of the pivot column, then a row for each combination of the other columns.
    collected = grouped(relation, [*groups, (key, value)], list(inner.aggregates))
    cell = scope.session.hidden(result.type)
    cells = projected(collected, [*kept(c for c, _ in groups), (key, ref(key)), (cell, result)])
    row = functions.find(functions.ALIASES.get(aggregate.name, aggregate.name))
    counts = isinstance(row, functions.Aggregate) and row.counts
    columns = _pivoted(node, [c.name for c, _ in groups], cells, key, scope)
    spread: list[Output] = [
        (scope.session.column(label, cell.type), _cell(text, key, cell, counts=counts)) for label, text in columns
    ]
    return declared(node, grouped(cells, kept_fresh([c for c, _ in groups], scope), spread), scope)


def _pivot_groups(
    over: syntax.Expr, aggregate: syntax.Call, places: list[syntax.Expr], relation: Relation, scope: Scope
) -> list[Column]:
    """Return the columns that the rows are grouped by."""
    used = {node.name for node in (over, *aggregate.arguments) if isinstance(node, syntax.Name)}
    if not places:
        return [c for c in relation.columns if c.name not in used]
    found = []
    for place in places:
        column = scope.column(place.name) if isinstance(place, syntax.Name) else None
        if column is None:
            scope.fail("expected a column's name", place.span)
        found.append(column)
    return found


def _pivoted(
    node: syntax.Evaluate, taken: list[str], cells: Relation, key: Column, scope: Scope
) -> list[tuple[str, str]]:
    """Return each new column's name with the value of the pivot column that it belongs to."""
    if node.schema:
        return [(part.name, part.name) for part in node.schema if part.name not in taken]
    column = scope.session.column("value", "string")
    texts = sorted(row[0] for row in discovered(grouped(cells, [(column, ref(key))], []).plan, node, scope))
    names = ColumnNames(taken)
    return [(names.unique(text or "Column"), text) for text in texts]


def _cell(text: str, key: Column, cell: Column, *, counts: bool) -> Scalar:
    """Return a new column's value in a group: the result of the rows with its value of the pivot column.

    A count or sum without rows is 0, any other result null.
    """
    here = Call("==string", (ref(key), Const("string", text)), "bool")
    nothing = Call("no_value", (ref(cell),), cell.type)
    # A group holds one row at most for each value, so max only picks it.
    found: Scalar = Call("max", (Call("choose", (here, ref(cell), nothing), cell.type),), cell.type)
    if cell.type == "string":
        return Call("text_or_empty", (found,), "string")
    return Call("coalesce_null", (found, Const(cell.type, 0)), cell.type) if counts else found
