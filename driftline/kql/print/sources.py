"""Print what a pipe may begin with: datatable, range, print, union, find, search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from driftline.kql import syntax
from driftline.kql.print.core import FORMS, Printer
from driftline.kql.print.names import block
from driftline.kql.syntax import Expr

__all__: list[str] = []


def datatable(to: Printer, node: syntax.Datatable) -> str:
    width = len(node.columns)
    rows = [node.values[at : at + width] for at in range(0, len(node.values), width)] if width else [node.values]
    lines = [", ".join(map(to.value, row)) for row in rows if row]
    head = f"datatable({', '.join(map(to.typed, node.columns))}) "
    if len(lines) <= 1:
        return f"{head}[{''.join(lines)}]"
    return head + "[" + block(",\n".join(lines)) + "]"


def range_(to: Printer, node: syntax.Range) -> str:
    return f"range {node.name} from {to.value(node.start)} to {to.value(node.stop)} step {to.value(node.step)}"


def union(to: Printer, node: syntax.Union) -> str:
    return f"union{to.settings(node.parameters)} {to.many(node.tables, to.table)}"


def among(to: Printer, tables: tuple[Expr, ...]) -> str:
    return f" in ({to.many(tables, to.table)})" if tables else ""


def find(to: Printer, node: syntax.Find) -> str:
    items = ", ".join("pack(*)" if isinstance(each, syntax.Star) else found(to, each) for each in node.items)
    start = f"find{to.settings(node.parameters)}{among(to, node.tables)} where {to.value(node.predicate)}"
    return f"{start} project {items}" if items else start


def found(to: Printer, node: Expr) -> str:
    return to.typed(node) if isinstance(node, syntax.TypedName) else to.expr(node)


def search(to: Printer, node: syntax.Search) -> str:
    everything = node.predicate == syntax.Literal("bool", value=True)
    predicate = "*" if everything else to.value(node.predicate)
    return f"search{to.settings(node.parameters)}{among(to, node.tables)} {predicate}"


SOURCES: dict[type, Callable[[Printer, Any], str]] = {
    syntax.Pipe: lambda to, node: to.steps(node),
    syntax.Datatable: datatable,
    syntax.Range: range_,
    syntax.Print: lambda to, node: f"print {to.many(node.items)}",
    syntax.Union: union,
    syntax.Find: find,
    syntax.Search: search,
    syntax.Elsewhere: lambda _, node: node.text,
}
FORMS.update(SOURCES)
