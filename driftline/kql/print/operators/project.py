"""Print operators that are lists of columns: project and its variants, extend, distinct."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer

__all__ = ["FORMS"]


def columns(to: Printer, node: syntax.Columns) -> str:
    """Write the operator and its list of columns."""
    return f"{node.op} {to.many(node.items)}"


FORMS: dict[type, Form] = {
    syntax.Columns: columns,
}
