"""Print as."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form
from driftline.kql.print.names import named

__all__ = ["FORMS"]


FORMS: dict[type, Form] = {
    syntax.As: lambda to, node: f"as{to.settings(node.parameters)} {named(node.name)}",
}
