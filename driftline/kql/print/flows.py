"""Print operators with bodies, steps and plugins: partition, scan, evaluate, invoke, render."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from driftline.kql import syntax
from driftline.kql.print.core import FORMS, Printer
from driftline.kql.print.names import block, named, value_of
from driftline.kql.syntax import Expr

__all__: list[str] = []


def partition(to: Printer, node: syntax.Partition) -> str:
    return f"partition{to.settings(node.parameters)} by {to.expr(node.column)} {to.body(node.body)}"


def declared(to: Printer, column: syntax.TypedName, default: Expr | None) -> str:
    return to.typed(column) + (f" = {to.value(default)}" if default is not None else "")


def scan(to: Printer, node: syntax.Scan) -> str:
    columns = ", ".join(declared(to, *each) for each in node.declared)
    steps = "\n".join(scan_step(to, each) for each in node.steps)
    head = f"scan{to.settings(node.parameters)}" + (f" declare ({columns})" if columns else "")
    return f"{head} with ({block(steps)})"


def scan_step(to: Printer, node: syntax.ScanStep) -> str:
    optional = " optional" if node.optional else ""
    output = f" output={node.output}" if node.output != "all" else ""
    assignments = f" => {to.many(node.assignments)}" if node.assignments else ""
    return f"step {named(node.name)}{optional}{output}: {to.value(node.condition)}{assignments};"


def render(_: Printer, node: syntax.Render) -> str:
    settings = ", ".join(f"{name}={value_of(value)}" for name, value in node.settings)
    return f"render {node.kind}" + (f" with ({settings})" if settings else "")


def evaluate(to: Printer, node: syntax.Evaluate) -> str:
    columns = ["*"] * node.whole + [to.typed(each) for each in node.schema]
    return f"evaluate {to.expr(node.call)}" + (f" : ({', '.join(columns)})" if columns else "")


FLOWS: dict[type, Callable[[Printer, Any], str]] = {
    syntax.As: lambda _, node: f"as {named(node.name)}",
    syntax.Partition: partition,
    syntax.Scan: scan,
    syntax.Render: render,
    syntax.Evaluate: evaluate,
    syntax.Invoke: lambda to, node: f"invoke {to.expr(node.call)}",
    syntax.Unsupported: lambda _, node: f"{node.op} {node.text}".rstrip(),
}
FORMS.update(FLOWS)
