"""Parse where rows come from: datatable, range, print, union, find, search."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.parse.parser import Parser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text.tokens import Kind, Token

__all__ = ["OPERATORS", "SOURCES"]


def parse_datatable(parser: Parser, start: Token) -> Expr:
    parser.expect_symbol("(")
    columns = parser.until(")", parser.parse_typed_name)
    parser.expect_symbol("[")
    values = parser.until("]", parser.parse_expression)
    return syntax.Datatable(columns, values, span=parser.since(start))


def parse_range(parser: Parser, start: Token) -> Expr:
    name = parser.parse_name()
    parser.expect_word("from")
    first = parser.parse_expression()
    parser.expect_word("to")
    last = parser.parse_expression()
    parser.expect_word("step")
    return syntax.Range(name, first, last, parser.parse_expression(), span=parser.since(start))


def parse_print(parser: Parser, start: Token) -> Expr:
    return syntax.Print(parser.separated(parser.parse_named), span=parser.since(start))


def parse_union(parser: Parser, start: Token) -> syntax.Union:
    parameters = parser.parse_parameters()
    tables = parser.separated(lambda: parse_table(parser))
    return syntax.Union(parameters, tables, span=parser.since(start))


def parse_table(parser: Parser) -> Expr:
    if parser.is_symbol("("):
        return parser.parse_bracketed()
    if parser.token.kind is Kind.WORD and parser.ahead().text != "(" and parser.ahead().text != ".":
        return parser.parse_pattern()
    if parser.is_symbol("*"):
        return parser.parse_pattern()
    return parser.parse_postfix()


def parse_find(parser: Parser, start: Token) -> Expr:
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
    parameters = parser.parse_parameters()
    tables = parse_in(parser)
    if parser.is_symbol("*") and parser.ahead().text in {"", "|", ";", ",", ")", "}"}:
        parser.advance()
        return syntax.Search(parameters, tables, syntax.Literal("bool", True), span=parser.since(start))
    return syntax.Search(parameters, tables, parser.parse_expression(), span=parser.since(start))


def parse_in(parser: Parser) -> tuple[Expr, ...]:
    if not parser.take_word("in"):
        return ()
    parser.expect_symbol("(")
    return parser.until(")", lambda: parse_table(parser))


def parse_externaldata(parser: Parser, start: Token) -> Expr:
    for opening, closing in ("()", "[]"):
        parser.expect_symbol(opening)
        parser.skip_to(closing)
        parser.expect_symbol(closing)
    if parser.take_word("with"):
        parser.expect_symbol("(")
        parser.skip_to(")")
        parser.expect_symbol(")")
    return syntax.Elsewhere(start.text, parser.text_since(start), span=start.span)


def parse_macro_expand(parser: Parser, start: Token) -> Expr:
    parser.skip_to("|", ";")
    return syntax.Elsewhere(start.text, parser.text_since(start), span=start.span)


SOURCES: dict[str, Callable[[Parser, Token], Expr]] = {
    "datatable": parse_datatable,
    "range": parse_range,
    "print": parse_print,
    "union": parse_union,
    "find": parse_find,
    "search": parse_search,
    "externaldata": parse_externaldata,
    "macro-expand": parse_macro_expand,
}

OPERATORS: dict[str, Callable[[Parser, Token], Operator]] = {
    "union": parse_union,
    "search": parse_search,
}
