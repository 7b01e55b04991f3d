"""Types as values: gettype, typeof.

https://learn.microsoft.com/kusto/query/scalar-functions#type-functions
"""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars.arguments import arity
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar
from driftline.kql.text import constants

__all__ = ["SPECIAL"]


def _gettype(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``gettype(value)``: constant, except for a dynamic value."""
    (value,) = arity(node, scope, 1)
    names = {"real": "real", "bool": "bool"}
    return (
        Call("type_of_dynamic", (value,), "string")
        if value.type == "dynamic"
        else Const("string", names.get(value.type, value.type))
    )


def _typeof(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``typeof(…)`` as a plain value; a function that takes a type reads the node before it is bound."""
    return Const("string", "type")


def _column_names(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``column_names_of(table)``: the names of its columns, which are known without reading it.

    https://learn.microsoft.com/kusto/query/column-names-of-function
    """
    if len(node.arguments) != 1:
        scope.fail("expected column_names_of(table)", node.span)
    relation = scope.with_row(None).table(node.arguments[0])
    return Const("dynamic", constants.dumps([column.name for column in relation.columns]))


SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {
    "gettype": _gettype,
    "column_names_of": _column_names,
    "typeof": _typeof,
}
