"""Print render."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form, Printer
from driftline.kql.print.names import value_of

__all__ = ["FORMS"]


def render(_: Printer, node: syntax.Render) -> str:
    """Write ``render kind with (settings)``."""
    settings = ", ".join(f"{name}={value_of(value)}" for name, value in node.settings)
    return f"render {node.kind}" + (f" with ({settings})" if settings else "")


FORMS: dict[type, Form] = {
    syntax.Render: render,
}
