"""Print the operators parse and parse-where."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.names import named
from driftline.kql.syntax import Expr

__all__ = ["FORMS"]


def parse_(to: Printer, node: syntax.Parse) -> str:
    """Write ``parse kind=k text with pattern``."""
    pattern = " ".join(pattern_part(to, part) for part in node.pattern)
    return f"{node.op}{to.settings(node.parameters)} {to.value(node.value)} with {pattern}"


def pattern_part(to: Printer, part: Expr) -> str:
    """Write a part of the pattern; string is the default type."""
    if isinstance(part, syntax.TypedName):
        return named(part.name) if part.type == "string" else f"{named(part.name)}:{part.type}"
    return to.expr(part)


FORMS: dict[type, Form] = {
    syntax.Parse: parse_,
}
