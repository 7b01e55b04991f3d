"""Parse render.

https://learn.microsoft.com/kusto/query/render-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Kind, Token

__all__ = ["OPERATORS"]


def parse_render(parser: Parser, start: Token) -> Operator:
    """Parse ``render kind with (settings)``."""
    kind = parser.expect_kind(Kind.WORD).text
    settings = parse_settings(parser)
    if parser.take_word("with"):
        parser.expect_symbol("(")
        settings += parse_settings(parser)
        parser.expect_symbol(")")
    return syntax.Render(kind, tuple(settings), span=parser.since(start))


def parse_settings(parser: Parser) -> list[tuple[str, str]]:
    """Parse settings ``name=value``; the commas between them may be left out."""
    settings = []
    while parser.token.kind is Kind.WORD and parser.ahead().text == "=":
        settings.append(parse_setting(parser))
        parser.take_symbol(",")
    return settings


def parse_setting(parser: Parser) -> tuple[str, str]:
    """Parse one setting; its value may be a list of names with commas."""
    name = parser.advance().text
    parser.expect_symbol("=")
    value = parser.advance().text
    while parser.is_symbol(",") and parser.ahead().kind is Kind.WORD and parser.ahead(2).text != "=":
        parser.advance()
        value += "," + parser.advance().text
    return name, value


OPERATORS: dict[str, ParseOperator] = {
    "render": parse_render,
}
