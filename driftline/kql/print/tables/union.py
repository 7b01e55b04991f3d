"""Print union."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.syntax import Expr

__all__ = ["FORMS", "among"]


def union(to: Printer, node: syntax.Union) -> str:
    """Write ``union parameters tables``."""
    return f"union{to.settings(node.parameters)} {to.many(node.tables, to.table)}"


def among(to: Printer, tables: tuple[Expr, ...]) -> str:
    """Write the tables that search or find reads; nothing if the query names none."""
    return f" in ({to.many(tables, to.table)})" if tables else ""


FORMS: dict[type, Form] = {
    syntax.Union: union,
}
