"""Print operators on rows and columns: where, project and its like, summarize, sort, top, join."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from driftline.kql import syntax
from driftline.kql.print.core import FORMS, Printer
from driftline.kql.syntax import Expr

__all__ = ["by"]


def columns(to: Printer, node: syntax.Columns) -> str:
    return f"{node.op} {to.many(node.items)}"


def summarize(to: Printer, node: syntax.Summarize) -> str:
    return f"summarize{after(to, node.aggregates)}{by(to, node.groups)}"


def after(to: Printer, items: Sequence[Expr]) -> str:
    return f" {to.many(items)}" if items else ""


def by(to: Printer, groups: Sequence[Expr]) -> str:
    """Write what rows are grouped by."""
    return f" by {to.many(groups)}" if groups else ""


def key(to: Printer, node: syntax.Key) -> str:
    nulls = f" nulls {node.nulls}" if node.nulls else ""
    return to.value(node.value) + direction(node.descending) + nulls


def direction(descending: bool | None) -> str:
    return {None: "", True: " desc", False: " asc"}[descending]


def keys(to: Printer, found: Sequence[syntax.Key]) -> str:
    return to.many(found, lambda each: key(to, each))


def nested_level(to: Printer, node: syntax.NestedLevel) -> str:
    count = f" {to.value(node.count)}" if node.count is not None else ""
    others = f" with others = {to.value(node.others)}" if node.others is not None else ""
    order = f" by {to.expr(node.aggregate)}{direction(node.descending)}"
    return f"top-nested{count} of {to.expr(node.value)}{others}{order}"


def top_hitters(to: Printer, node: syntax.TopHitters) -> str:
    weight = f" by {to.value(node.weight)}" if node.weight is not None else ""
    return f"top-hitters {to.value(node.count)} of {to.value(node.value)}{weight}"


def reduce(to: Printer, node: syntax.Reduce) -> str:
    kind = f" kind={node.kind}" if node.kind else ""
    given = [("threshold", node.threshold), ("characters", node.characters)]
    settings = ", ".join(f"{name}={to.value(value)}" for name, value in given if value is not None)
    return f"reduce{kind} by {to.value(node.value)}{f' with {settings}' if settings else ''}"


def join(to: Printer, node: syntax.Join) -> str:
    conditions = f" on {to.many(node.conditions, to.value)}" if node.conditions else ""
    return f"{node.op}{to.settings(node.parameters)} {to.table(node.table)}{conditions}"


ROWS: dict[type, Callable[[Printer, Any], str]] = {
    syntax.Where: lambda to, node: f"where {to.value(node.predicate)}",
    syntax.Columns: columns,
    syntax.Summarize: summarize,
    syntax.Sort: lambda to, node: f"sort by {keys(to, node.keys)}",
    syntax.Top: lambda to, node: f"top {to.value(node.count)} by {keys(to, node.keys)}",
    syntax.TopNested: lambda to, node: to.many(node.levels, lambda each: nested_level(to, each)),
    syntax.TopHitters: top_hitters,
    syntax.Reduce: reduce,
    syntax.Limit: lambda to, node: f"{node.op} {to.value(node.count)}",
    syntax.SampleDistinct: lambda to, node: f"sample-distinct {to.value(node.count)} of {to.value(node.value)}",
    syntax.Plain: lambda _, node: node.op,
    syntax.Serialize: lambda to, node: f"serialize{after(to, node.items)}",
    syntax.Join: join,
}
FORMS.update(ROWS)
