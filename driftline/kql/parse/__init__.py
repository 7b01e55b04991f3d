"""From text to the syntax tree. Each operator and each source is one row of the tables here."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse import arrays, flows, graphs, patterns, rows, sources
from driftline.kql.parse.parser import OPERATORS, SOURCES, Parser
from driftline.kql.text.problems import Problems
from driftline.kql.text.tokens import tokenize

__all__ = ["OPERATORS", "SOURCES", "Parser", "parse"]


def parse(text: str) -> syntax.Query:
    """Parse a query; raises ``InvalidQuery`` with every problem and its place."""
    problems = Problems(text)
    parser = Parser(tokenize(text, problems), problems, text)
    query = parser.parse_query()
    problems.raise_if_any()
    return query


SOURCES.update(sources.SOURCES)
for theme in (rows, sources, arrays, patterns, flows, graphs):
    OPERATORS.update(theme.OPERATORS)
