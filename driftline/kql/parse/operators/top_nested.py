"""Parse top-nested.

https://learn.microsoft.com/kusto/query/top-nested-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.operators.sort import parse_direction
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_top_nested(parser: Parser, start: Token) -> Operator:
    """Parse ``top-nested …, top-nested …``."""
    levels = [parse_level(parser, start)]
    while parser.take_symbol(","):
        levels.append(parse_level(parser, parser.expect_word("top-nested")))
    return syntax.TopNested(tuple(levels), span=parser.since(start))


def parse_level(parser: Parser, start: Token) -> syntax.NestedLevel:
    """Parse one level: ``count of value with others = x by aggregate order``."""
    count = None if parser.is_word("of") else parser.parse_expression()
    parser.expect_word("of")
    value = parser.parse_named()
    others = None
    if parser.take_word("with"):
        parser.expect_word("others")
        parser.expect_symbol("=")
        others = parser.parse_expression()
    parser.expect_word("by")
    aggregate = parser.parse_named()
    return syntax.NestedLevel(count, value, others, aggregate, parse_direction(parser), span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "top-nested": parse_top_nested,
}
