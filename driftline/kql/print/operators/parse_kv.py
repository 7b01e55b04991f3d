"""Print parse-kv."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer

__all__ = ["FORMS"]


def parse_kv(to: Printer, node: syntax.ParseKv) -> str:
    """Write ``parse-kv text as (columns) with (settings)``."""
    settings = f" with ({to.many(node.settings)})" if node.settings else ""
    return f"parse-kv {to.value(node.value)} as ({', '.join(map(to.typed, node.columns))}){settings}"


FORMS: dict[type, Form] = {
    syntax.ParseKv: parse_kv,
}
