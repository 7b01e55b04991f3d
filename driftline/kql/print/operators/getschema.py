"""Print getschema."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.print.core import Form

__all__ = ["FORMS"]

FORMS: dict[type, Form] = {syntax.GetSchema: lambda _, __: "getschema"}
