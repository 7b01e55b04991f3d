"""Parse the sources of pipelines, and the operators among them: union, search."""

from __future__ import annotations

from driftline.kql.parse.parser import ParseOperator, ParseSource
from driftline.kql.parse.tables import search, sources, union

__all__ = ["OPERATORS", "SOURCES"]

SOURCES: dict[str, ParseSource] = {**sources.SOURCES, **union.SOURCES, **search.SOURCES}
"""First word of a source -> function that parses it. Any other word begins an expression."""
OPERATORS: dict[str, ParseOperator] = {**union.OPERATORS, **search.OPERATORS}
"""Sources that are operators, too."""
