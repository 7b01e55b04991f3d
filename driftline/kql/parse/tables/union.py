"""Parse union.

https://learn.microsoft.com/kusto/query/union-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser, ParseSource
from driftline.kql.syntax import Expr
from driftline.kql.text.tokens import Kind, Token

__all__ = ["OPERATORS", "SOURCES", "parse_in"]


def parse_union(parser: Parser, start: Token) -> syntax.Union:
    """Parse ``union parameters tables``."""
    parameters = parser.parse_parameters()
    tables = parser.separated(lambda: parse_table(parser))
    return syntax.Union(parameters, tables, span=parser.since(start))


def parse_table(parser: Parser) -> Expr:
    """Parse a table of a union: a name, with wildcards or not, or a pipeline in brackets."""
    if parser.is_symbol("("):
        return parser.parse_bracketed()
    # A word before a bracket is a call, and before a dot the beginning of a remote table.
    if parser.token.kind is Kind.WORD and parser.ahead().text != "(" and parser.ahead().text != ".":
        return parser.parse_pattern()
    if parser.is_symbol("*"):
        return parser.parse_pattern()
    return parser.parse_postfix()


def parse_in(parser: Parser) -> tuple[Expr, ...]:
    """Parse an optional list of tables: ``in (tables)``; empty if there is none."""
    if not parser.take_word("in"):
        return ()
    parser.expect_symbol("(")
    return parser.until(")", lambda: parse_table(parser))


SOURCES: dict[str, ParseSource] = {
    "union": parse_union,
}

OPERATORS: dict[str, ParseOperator] = {
    "union": parse_union,
}
