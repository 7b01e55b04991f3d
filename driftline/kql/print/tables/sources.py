"""Print sources of a pipeline: datatable, range, print."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.names import block

__all__ = ["FORMS"]


def datatable(to: Printer, node: syntax.Datatable) -> str:
    """Write a datatable, a row a line if it has several."""
    width = len(node.columns)
    rows = [node.values[at : at + width] for at in range(0, len(node.values), width)] if width else [node.values]
    lines = [", ".join(map(to.value, row)) for row in rows if row]
    head = f"datatable({', '.join(map(to.typed, node.columns))}) "
    if len(lines) <= 1:
        return f"{head}[{''.join(lines)}]"
    return head + "[" + block(",\n".join(lines)) + "]"


def range_(to: Printer, node: syntax.Range) -> str:
    """Write ``range name from start to stop step step``."""
    return f"range {node.name} from {to.value(node.start)} to {to.value(node.stop)} step {to.value(node.step)}"


FORMS: dict[type, Form] = {
    syntax.Datatable: datatable,
    syntax.Range: range_,
    syntax.Print: lambda to, node: f"print {to.many(node.items)}",
    syntax.RemoteTable: lambda _, node: node.text,
    syntax.Pipe: lambda to, node: to.steps(node),
}
