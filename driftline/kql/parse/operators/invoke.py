"""Parse invoke.

https://learn.microsoft.com/kusto/query/invoke-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.operators.evaluate import parse_plugin
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_invoke(parser: Parser, start: Token) -> Operator:
    """Parse ``invoke function(arguments)``."""
    return syntax.Invoke(parse_plugin(parser), span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "invoke": parse_invoke,
}
