"""Parse search and find.

https://learn.microsoft.com/kusto/query/search-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser, ParseSource
from driftline.kql.parse.tables.union import parse_in
from driftline.kql.syntax import Expr
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS", "SOURCES"]


def parse_find(parser: Parser, start: Token) -> Expr:
    """Parse ``find in (tables) where predicate project columns``; ``where`` may be left out."""
    parameters = parser.parse_parameters()
    tables = parse_in(parser)
    parser.take_word("where")
    predicate = parser.parse_expression()
    items: tuple[Expr, ...] = ()
    if parser.take_word("project"):
        items = parser.separated(lambda: parse_found(parser))
    elif parser.take_word("project-smart"):
        items = ()
    return syntax.Find(parameters, tables, predicate, items, span=parser.since(start))


def parse_found(parser: Parser) -> Expr:
    """Parse an item of find's projection: a column, ``column: type``, or ``pack(*)``."""
    start = parser.token
    name = parser.parse_name()
    if parser.is_symbol("(") and name in {"pack", "pack_all"}:
        parser.advance()
        if name == "pack":
            parser.expect_symbol("*")
        parser.expect_symbol(")")
        return syntax.Star(span=parser.since(start))
    if parser.take_symbol(":"):
        return syntax.TypedName(name, parser.parse_type(), span=parser.since(start))
    return syntax.Name(name, span=start.span)


def parse_search(parser: Parser, start: Token) -> syntax.Search:
    """Parse ``search in (tables) predicate``; ``*`` alone means every row."""
    parameters = parser.parse_parameters()
    tables = parse_in(parser)
    # A star with an operator behind it is a condition on all columns instead.
    if parser.is_symbol("*") and parser.ahead().text in {"", "|", ";", ",", ")", "}"}:
        parser.advance()
        return syntax.Search(parameters, tables, syntax.Literal("bool", True), span=parser.since(start))
    return syntax.Search(parameters, tables, parser.parse_expression(), span=parser.since(start))


SOURCES: dict[str, ParseSource] = {
    "find": parse_find,
    "search": parse_search,
}

OPERATORS: dict[str, ParseOperator] = {
    "search": parse_search,
}
