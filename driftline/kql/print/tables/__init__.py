"""Print the sources of pipelines."""

from __future__ import annotations

from driftline.kql.print.core import Form
from driftline.kql.print.tables import search, sources, union

__all__ = ["FORMS"]

FORMS: dict[type, Form] = {**sources.FORMS, **union.FORMS, **search.FORMS}
"""Kind of source -> function that prints it."""
