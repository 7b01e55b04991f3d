"""Print operators that driftline does not support, as they were written."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form

__all__ = ["FORMS"]


FORMS: dict[type, Form] = {
    syntax.Unsupported: lambda _, node: f"{node.op} {node.text}".rstrip(),
}
