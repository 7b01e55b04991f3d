"""Parse getschema.

https://learn.microsoft.com/kusto/query/getschema-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.operators.unsupported import parse_unsupported
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_getschema(parser: Parser, start: Token) -> Operator:
    """Parse ``getschema``; with ``kind=…`` it is not supported."""
    if not parser.ends_operator():
        return parse_unsupported(parser, start)
    return syntax.GetSchema(span=start.span)


OPERATORS: dict[str, ParseOperator] = {
    "getschema": parse_getschema,
}
