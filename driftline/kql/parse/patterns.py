"""Parse operators that take text apart: parse, parse-where, parse-kv."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.parse.parser import Parser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text.tokens import Kind, Token

__all__ = ["OPERATORS"]


def parse_parse(parser: Parser, start: Token) -> Operator:
    parameters = parser.parse_parameters()
    value = parser.parse_expression()
    parser.expect_word("with")
    pattern = []
    while not parser.ends_operator():
        pattern.append(parse_pattern_part(parser))
    return syntax.Parse(start.text, parameters, value, tuple(pattern), span=parser.since(start))


def parse_pattern_part(parser: Parser) -> Expr:
    start = parser.token
    if parser.take_symbol("*"):
        return syntax.Star(span=start.span)
    if start.kind is Kind.STRING:
        parser.advance()
        return syntax.Literal("string", start.text, span=start.span)
    name = parser.parse_name()
    kind = parser.parse_type() if parser.take_symbol(":") else "string"
    return syntax.TypedName(name, kind, span=parser.since(start))


def parse_parse_kv(parser: Parser, start: Token) -> Operator:
    value = parser.parse_expression()
    parser.expect_word("as")
    parser.expect_symbol("(")
    columns = parser.until(")", parser.parse_typed_name)
    settings: tuple[syntax.Named, ...] = ()
    if parser.take_word("with"):
        parser.expect_symbol("(")
        settings = parser.until(")", parser.parse_named)
    return syntax.ParseKv(value, columns, settings, span=parser.since(start))


OPERATORS: dict[str, Callable[[Parser, Token], Operator]] = {
    "parse": parse_parse,
    "parse-where": parse_parse,
    "parse-kv": parse_parse_kv,
}
