"""Print summarize and count."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.lists import after, by

__all__ = ["FORMS"]


def summarize(to: Printer, node: syntax.Summarize) -> str:
    """Write ``summarize aggregates by groups``."""
    return f"summarize{after(to, node.aggregates)}{by(to, node.groups)}"


FORMS: dict[type, Form] = {
    syntax.Summarize: summarize,
    syntax.Count: lambda _, __: "count",
}
