"""Print scan."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.names import block, named
from driftline.kql.syntax import Expr

__all__ = ["FORMS"]


def declared(to: Printer, column: syntax.TypedName, default: Expr | None) -> str:
    """Write a declared column with its default."""
    return to.typed(column) + (f" = {to.value(default)}" if default is not None else "")


def scan(to: Printer, node: syntax.Scan) -> str:
    """Write ``scan declare (columns) with (steps)``, a step a line."""
    columns = ", ".join(declared(to, *each) for each in node.declared)
    steps = "\n".join(scan_step(to, each) for each in node.steps)
    head = f"scan{to.settings(node.parameters)}" + (f" declare ({columns})" if columns else "")
    return f"{head} with ({block(steps)})"


def scan_step(to: Printer, node: syntax.ScanStep) -> str:
    """Write one step; ``output=all`` is the default."""
    optional = " optional" if node.optional else ""
    output = f" output={node.output}" if node.output != "all" else ""
    assignments = f" => {to.many(node.assignments)}" if node.assignments else ""
    return f"step {named(node.name)}{optional}{output}: {to.value(node.condition)}{assignments};"


FORMS: dict[type, Form] = {
    syntax.Scan: scan,
}
