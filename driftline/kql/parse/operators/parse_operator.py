"""Parse the operators parse and parse-where.

https://learn.microsoft.com/kusto/query/parse-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text.tokens import Kind, Token

__all__ = ["OPERATORS"]


def parse_parse(parser: Parser, start: Token) -> Operator:
    """Parse ``parse kind=k text with pattern``."""
    parameters = parser.parse_parameters()
    value = parser.parse_expression()
    parser.expect_word("with")
    pattern = []
    while not parser.ends_operator():
        pattern.append(parse_pattern_part(parser))
    return syntax.Parse(start.text, parameters, value, tuple(pattern), span=parser.since(start))


def parse_pattern_part(parser: Parser) -> Expr:
    """Parse a part of a pattern: ``*``, a constant, or a column with an optional type."""
    start = parser.token
    if parser.take_symbol("*"):
        return syntax.Star(span=start.span)
    if start.kind is Kind.STRING:
        parser.advance()
        return syntax.Literal("string", start.text, span=start.span)
    name = parser.parse_name()
    kind = parser.parse_type() if parser.take_symbol(":") else "string"
    return syntax.TypedName(name, kind, span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "parse": parse_parse,
    "parse-where": parse_parse,
}
