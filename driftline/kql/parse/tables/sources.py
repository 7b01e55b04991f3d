"""Parse sources of a pipeline: datatable, range, print, externaldata, macro-expand.

https://learn.microsoft.com/kusto/query/datatable-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import Parser, ParseSource
from driftline.kql.syntax import Expr
from driftline.kql.text.tokens import Token

__all__ = ["SOURCES"]


def parse_datatable(parser: Parser, start: Token) -> Expr:
    """Parse ``datatable (columns) [values]``."""
    parser.expect_symbol("(")
    columns = parser.until(")", parser.parse_typed_name)
    parser.expect_symbol("[")
    values = parser.until("]", parser.parse_expression)
    return syntax.Datatable(columns, values, span=parser.since(start))


def parse_range(parser: Parser, start: Token) -> Expr:
    """Parse ``range name from start to stop step step``."""
    name = parser.parse_name()
    parser.expect_word("from")
    first = parser.parse_expression()
    parser.expect_word("to")
    last = parser.parse_expression()
    parser.expect_word("step")
    return syntax.Range(name, first, last, parser.parse_expression(), span=parser.since(start))


def parse_print(parser: Parser, start: Token) -> Expr:
    """Parse ``print values``."""
    return syntax.Print(parser.separated(parser.parse_named), span=parser.since(start))


def parse_externaldata(parser: Parser, start: Token) -> Expr:
    """Parse ``externaldata (columns) [addresses] with (settings)``; the settings are skipped."""
    parser.expect_symbol("(")
    columns = parser.until(")", parser.parse_typed_name)
    parser.expect_symbol("[")
    addresses = parser.until("]", parser.parse_expression)
    if parser.take_word("with"):
        parser.expect_symbol("(")
        parser.skip_to(")")
        parser.expect_symbol(")")
    text = parser.text_since(start)
    return syntax.RemoteTable(start.text, text, columns, addresses, span=start.span)


def parse_macro_expand(parser: Parser, start: Token) -> Expr:
    """Skip ``macro-expand``, which driftline does not support."""
    parser.skip_to("|", ";")
    return syntax.RemoteTable(start.text, parser.text_since(start), span=start.span)


SOURCES: dict[str, ParseSource] = {
    "datatable": parse_datatable,
    "range": parse_range,
    "print": parse_print,
    "externaldata": parse_externaldata,
    "macro-expand": parse_macro_expand,
}
