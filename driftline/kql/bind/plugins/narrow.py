"""``evaluate narrow()``: a row for each cell.

https://learn.microsoft.com/kusto/query/narrow-plugin
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.outputs import Output, projected, ref
from driftline.kql.plan.nodes import Call, Const, Expand, Key, Project, Scalar, Window

__all__ = ["bind_narrow"]


def bind_narrow(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    """Bind ``narrow()``: a row of row number (from 0), column name and text for each cell."""
    if node.call.arguments:
        scope.fail("expected narrow()", node.span)
    row, pair, index = (scope.session.hidden(kind) for kind in ("long", "dynamic", "long"))
    number = Window(Call("number_row", (), "long"), relation.order)
    # A row becomes an array of [name, text] pairs, which is then expanded.
    pairs = [
        Call("pack_array", (_json(Const("string", c.name)), _json(types.converted(ref(c), "string"))), "dynamic")
        for c in relation.columns
    ]
    packed = Project(
        relation.plan,
        (row, pair),
        (Call("-", (number, Const("long", 1)), "long"), Call("pack_array", tuple(pairs), "dynamic")),
    )
    cell = scope.session.hidden("dynamic")
    expanded = Expand(packed, (Call("expand_list", (ref(pair),), "dynamic"),), (cell,), index)
    name, value = (Call("element", (ref(cell), Const("long", place)), "dynamic") for place in (0, 1))
    outputs: list[Output] = [
        (scope.session.column("Row", "long"), ref(row)),
        (scope.session.column("Column", "string"), types.converted(name, "string")),
        (scope.session.column("Value", "string"), types.converted(value, "string")),
    ]
    order = tuple(Key(ref(column), descending=False, nulls_first=True) for column in (row, index))
    return projected(Relation(expanded, order, serialized=True), outputs)


def _json(value: Scalar) -> Scalar:
    """Convert a value to dynamic."""
    return types.converted(value, "dynamic")
