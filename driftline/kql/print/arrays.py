"""Print operators on arrays, texts and series: mv-expand, mv-apply, parse, parse-kv, make-series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from driftline.kql import syntax
from driftline.kql.print.core import FORMS, Printer
from driftline.kql.print.names import named
from driftline.kql.print.rows import by
from driftline.kql.syntax import Expr

__all__: list[str] = []


def expanded(to: Printer, node: syntax.Expanded) -> str:
    return to.expr(node.item) + (f" to typeof({node.type})" if node.type else "")


def expansion(to: Printer, op: str, node: syntax.MvExpand | syntax.MvApply) -> str:
    limit = f" limit {to.value(node.limit)}" if node.limit is not None else ""
    return f"{op}{to.settings(node.parameters)} {to.many(node.items, lambda each: expanded(to, each))}{limit}"


def parse_(to: Printer, node: syntax.Parse) -> str:
    pattern = " ".join(pattern_part(to, part) for part in node.pattern)
    return f"{node.op}{to.settings(node.parameters)} {to.value(node.value)} with {pattern}"


def pattern_part(to: Printer, part: Expr) -> str:
    if isinstance(part, syntax.TypedName):
        return named(part.name) if part.type == "string" else f"{named(part.name)}:{part.type}"
    return to.expr(part)


def parse_kv(to: Printer, node: syntax.ParseKv) -> str:
    settings = f" with ({to.many(node.settings)})" if node.settings else ""
    return f"parse-kv {to.value(node.value)} as ({', '.join(map(to.typed, node.columns))}){settings}"


def series(to: Printer, node: syntax.Series) -> str:
    return to.expr(node.aggregate) + (f" default={to.value(node.default)}" if node.default is not None else "")


def make_series(to: Printer, node: syntax.MakeSeries) -> str:
    start = f" from {to.value(node.start)}" if node.start is not None else ""
    stop = f" to {to.value(node.stop)}" if node.stop is not None else ""
    made = to.many(node.series, lambda each: series(to, each))
    axis = f" on {to.expr(node.axis)}{start}{stop} step {to.value(node.step)}"
    return f"make-series{to.settings(node.parameters)} {made}{axis}{by(to, node.groups)}"


ARRAYS: dict[type, Callable[[Printer, Any], str]] = {
    syntax.MvExpand: lambda to, node: expansion(to, "mv-expand", node),
    syntax.MvApply: lambda to, node: f"{expansion(to, 'mv-apply', node)} on {to.body(node.body)}",
    syntax.Parse: parse_,
    syntax.ParseKv: parse_kv,
    syntax.MakeSeries: make_series,
}
FORMS.update(ARRAYS)
