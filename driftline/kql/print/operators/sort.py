"""Print operators on the order and number of rows: sort, top, take, sample, serialize."""

from __future__ import annotations

from collections.abc import Sequence

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.lists import after, direction

__all__ = ["FORMS"]


def key(to: Printer, node: syntax.Key) -> str:
    """Write a sort key."""
    nulls = f" nulls {node.nulls}" if node.nulls else ""
    return to.value(node.value) + direction(node.descending) + nulls


def keys(to: Printer, found: Sequence[syntax.Key]) -> str:
    """Write sort keys."""
    return to.many(found, lambda each: key(to, each))


def top_hitters(to: Printer, node: syntax.TopHitters) -> str:
    """Write ``top-hitters count of value by weight``."""
    weight = f" by {to.value(node.weight)}" if node.weight is not None else ""
    return f"top-hitters {to.value(node.count)} of {to.value(node.value)}{weight}"


FORMS: dict[type, Form] = {
    syntax.Sort: lambda to, node: f"sort by {keys(to, node.keys)}",
    syntax.Top: lambda to, node: f"top {to.value(node.count)} by {keys(to, node.keys)}",
    syntax.TopHitters: top_hitters,
    syntax.Limit: lambda to, node: f"{node.op} {to.value(node.count)}",
    syntax.SampleDistinct: lambda to, node: f"sample-distinct {to.value(node.count)} of {to.value(node.value)}",
    syntax.Serialize: lambda to, node: f"serialize{after(to, node.items)}",
}
