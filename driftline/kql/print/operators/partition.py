"""Print partition."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer

__all__ = ["FORMS"]


def partition(to: Printer, node: syntax.Partition) -> str:
    """Write ``partition by column (pipeline)`` or ``partition by column {pipeline}``."""
    body = to.body(node.body) if node.source is None else "{" + to.inner(node.source) + "}"
    return f"partition{to.settings(node.parameters)} by {to.expr(node.column)} {body}"


FORMS: dict[type, Form] = {
    syntax.Partition: partition,
}
