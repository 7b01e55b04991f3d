"""Parse as.

https://learn.microsoft.com/kusto/query/as-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_as(parser: Parser, start: Token) -> Operator:
    """Parse ``as parameters name``."""
    return syntax.As(parser.parse_parameters(), parser.parse_name(), span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "as": parse_as,
}
