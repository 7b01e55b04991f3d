"""Print mv-expand and mv-apply."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer

__all__ = ["FORMS"]


def expanded(to: Printer, node: syntax.Expanded) -> str:
    """Write ``name = value to typeof(type)``."""
    return to.expr(node.item) + (f" to typeof({node.type})" if node.type else "")


def expansion(to: Printer, op: str, node: syntax.MvExpand | syntax.MvApply) -> str:
    """Write the operator up to its limit."""
    limit = f" limit {to.value(node.limit)}" if node.limit is not None else ""
    return f"{op}{to.settings(node.parameters)} {to.many(node.items, lambda each: expanded(to, each))}{limit}"


FORMS: dict[type, Form] = {
    syntax.MvExpand: lambda to, node: expansion(to, "mv-expand", node),
    syntax.MvApply: lambda to, node: f"{expansion(to, 'mv-apply', node)} on {to.body(node.body)}",
}
