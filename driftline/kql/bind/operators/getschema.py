"""Bind getschema: a row for each column of the table, with its name, place and type.

https://learn.microsoft.com/kusto/query/getschema-operator
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables import relations
from driftline.kql.plan.nodes import Const, Values

__all__ = ["OPERATORS"]

DATA_TYPES = {
    "bool": "System.SByte",
    "int": "System.Int32",
    "long": "System.Int64",
    "real": "System.Double",
    "string": "System.String",
    "datetime": "System.DateTime",
    "timespan": "System.TimeSpan",
    "guid": "System.Guid",
    "decimal": "System.Data.SqlTypes.SqlDecimal",
    "dynamic": "System.Object",
}
"""Kusto type -> .NET type, as Kusto's column DataType names it."""
RESULT = ("ColumnName", "string"), ("ColumnOrdinal", "long"), ("DataType", "string"), ("ColumnType", "string")


def bind_getschema(node: syntax.GetSchema, relation: Relation, scope: Scope) -> Relation:
    """Bind getschema, whose rows are known without reading the table."""
    columns = tuple(scope.session.column(*pair) for pair in RESULT)
    rows = tuple(
        (Const("string", c.name), Const("long", i), Const("string", DATA_TYPES[c.type]), Const("string", c.type))
        for i, c in enumerate(relation.columns)
    )
    return relations.in_order(Values(columns, rows), columns[1])


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.GetSchema: bind_getschema}
