"""Print search and find."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.tables.union import among
from driftline.kql.syntax import Expr

__all__ = ["FORMS", "among"]


def find(to: Printer, node: syntax.Find) -> str:
    """Write ``find in (tables) where predicate project columns``."""
    items = ", ".join("pack(*)" if isinstance(each, syntax.Star) else found(to, each) for each in node.items)
    start = f"find{to.settings(node.parameters)}{among(to, node.tables)} where {to.value(node.predicate)}"
    return f"{start} project {items}" if items else start


def found(to: Printer, node: Expr) -> str:
    """Write an item of find's projection."""
    return to.typed(node) if isinstance(node, syntax.TypedName) else to.expr(node)


def search(to: Printer, node: syntax.Search) -> str:
    """Write ``search in (tables) predicate``; ``*`` if every row is meant."""
    everything = node.predicate == syntax.Literal("bool", value=True)
    predicate = "*" if everything else to.value(node.predicate)
    return f"search{to.settings(node.parameters)}{among(to, node.tables)} {predicate}"


FORMS: dict[type, Form] = {
    syntax.Find: find,
    syntax.Search: search,
}
