"""Parse where.

https://learn.microsoft.com/kusto/query/where-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_where(parser: Parser, start: Token) -> Operator:
    """Parse ``where predicate``."""
    return syntax.Where(parser.parse_condition(), span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "where": parse_where,
    "filter": parse_where,
}
