"""Print reduce."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer

__all__ = ["FORMS"]


def reduce(to: Printer, node: syntax.Reduce) -> str:
    """Write ``reduce kind=k by text with settings``."""
    kind = f" kind={node.kind}" if node.kind else ""
    given = [("threshold", node.threshold), ("characters", node.characters)]
    settings = ", ".join(f"{name}={to.value(value)}" for name, value in given if value is not None)
    return f"reduce{kind} by {to.value(node.value)}{f' with {settings}' if settings else ''}"


FORMS: dict[type, Form] = {
    syntax.Reduce: reduce,
}
