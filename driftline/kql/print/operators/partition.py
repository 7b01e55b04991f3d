"""Print partition."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer

__all__ = ["FORMS"]


def partition(to: Printer, node: syntax.Partition) -> str:
    """Write ``partition by column (pipeline)``."""
    return f"partition{to.settings(node.parameters)} by {to.expr(node.column)} {to.body(node.body)}"


FORMS: dict[type, Form] = {
    syntax.Partition: partition,
}
