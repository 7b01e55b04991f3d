"""From text to the syntax tree, by recursive descent.

``cursor`` (a place among the tokens), ``expressions``, ``parser`` (pipelines and statements), and one file in
``operators/`` or ``tables/`` for each operator and source, under the name of its Kusto page.
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse import operators, tables
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.text.problems import Problems
from driftline.kql.text.tokens import tokenize

__all__ = ["OPERATORS", "SOURCES", "parse", "parse_query"]

OPERATORS: dict[str, ParseOperator] = {**operators.OPERATORS, **tables.OPERATORS}
"""First word of an operator -> function that parses it."""
SOURCES = tables.SOURCES


def parse(text: str) -> syntax.Query:
    """Parse a query.

    Raises ``errors.InvalidQuery`` with every problem and its place.
    """
    problems = Problems(text)
    query = parse_query(text, problems)
    problems.raise_if_any()
    return query


def parse_query(text: str, problems: Problems) -> syntax.Query:
    """Parse a query and note problems in ``problems``; the tree leaves out the broken parts."""
    return Parser(tokenize(text, problems), problems, text, operators=OPERATORS, sources=SOURCES).parse_query()
