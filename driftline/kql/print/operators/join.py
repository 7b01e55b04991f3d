"""Print join and lookup."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer

__all__ = ["FORMS"]


def join(to: Printer, node: syntax.Join) -> str:
    """Write ``join kind=k table on conditions``, or lookup."""
    conditions = f" on {to.many(node.conditions, to.value)}" if node.conditions else ""
    return f"{node.op}{to.settings(node.parameters)} {to.table(node.table)}{conditions}"


FORMS: dict[type, Form] = {
    syntax.Join: join,
}
