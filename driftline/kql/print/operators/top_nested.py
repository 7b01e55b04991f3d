"""Print top-nested."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.lists import direction

__all__ = ["FORMS"]


def nested_level(to: Printer, node: syntax.NestedLevel) -> str:
    """Write one level."""
    count = f" {to.value(node.count)}" if node.count is not None else ""
    others = f" with others = {to.value(node.others)}" if node.others is not None else ""
    order = f" by {to.expr(node.aggregate)}{direction(node.descending)}"
    return f"top-nested{count} of {to.expr(node.value)}{others}{order}"


FORMS: dict[type, Form] = {
    syntax.TopNested: lambda to, node: to.many(node.levels, lambda each: nested_level(to, each)),
}
