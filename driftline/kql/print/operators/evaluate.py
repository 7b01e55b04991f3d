"""Print evaluate."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer

__all__ = ["FORMS"]


def evaluate(to: Printer, node: syntax.Evaluate) -> str:
    """Write ``evaluate plugin(arguments) : (*, columns)``."""
    columns = ["*"] * node.whole + [to.typed(each) for each in node.schema]
    return f"evaluate {to.expr(node.call)}" + (f" : ({', '.join(columns)})" if columns else "")


FORMS: dict[type, Form] = {
    syntax.Evaluate: evaluate,
}
