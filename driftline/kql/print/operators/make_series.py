"""Print make-series."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.lists import by

__all__ = ["FORMS"]


def series(to: Printer, node: syntax.Series) -> str:
    """Write an aggregate with its default."""
    return to.expr(node.aggregate) + (f" default={to.value(node.default)}" if node.default is not None else "")


def make_series(to: Printer, node: syntax.MakeSeries) -> str:
    """Write ``make-series aggregates on axis from start to stop step step by groups``."""
    start = f" from {to.value(node.start)}" if node.start is not None else ""
    stop = f" to {to.value(node.stop)}" if node.stop is not None else ""
    made = to.many(node.series, lambda each: series(to, each))
    axis = f" on {to.expr(node.axis)}{start}{stop} step {to.value(node.step)}"
    return f"make-series{to.settings(node.parameters)} {made}{axis}{by(to, node.groups)}"


FORMS: dict[type, Form] = {
    syntax.MakeSeries: make_series,
}
