"""Type literals: ``typeof(long)``.

https://learn.microsoft.com/kusto/query/scalar-data-types/
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scope import Scope
from driftline.kql.text.problems import suggestion

__all__ = ["type_literal"]

TYPE_NAMES = {
    "bool": "bool", "boolean": "bool", "int": "int", "long": "long", "real": "real", "double": "real",
    "string": "string", "datetime": "datetime", "date": "datetime", "timespan": "timespan", "time": "timespan",
    "guid": "guid", "dynamic": "dynamic",
}  # fmt: skip


def type_literal(node: syntax.Expr, scope: Scope) -> str:
    """Return the type that ``typeof(…)`` names; note a problem if the expression is none."""
    name = node.arguments[0] if isinstance(node, syntax.Call) and node.name == "typeof" and node.arguments else None
    if not isinstance(name, syntax.Name):
        scope.fail("expected typeof(…)", node.span)
    kind = TYPE_NAMES.get(name.name)
    if kind is None:
        scope.fail(f"unknown type '{name.name}'{suggestion(name.name, TYPE_NAMES)}", name.span)
    return kind
