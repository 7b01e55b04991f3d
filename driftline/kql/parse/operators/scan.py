"""Parse scan.

https://learn.microsoft.com/kusto/query/scan-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_scan(parser: Parser, start: Token) -> Operator:
    """Parse ``scan declare (columns) with (steps)``."""
    parameters = parser.parse_parameters()
    declared: tuple[tuple[syntax.TypedName, Expr | None], ...] = ()
    if parser.take_word("declare"):
        parser.expect_symbol("(")
        declared = parser.until(")", lambda: parse_declared(parser))
    parser.expect_word("with")
    parser.expect_symbol("(")
    steps = []
    while parser.is_word("step"):
        steps.append(parse_step(parser))
    parser.expect_symbol(")")
    return syntax.Scan(parameters, declared, tuple(steps), span=parser.since(start))


def parse_declared(parser: Parser) -> tuple[syntax.TypedName, Expr | None]:
    """Parse a declared column with its default."""
    column = parser.parse_typed_name()
    return column, parser.parse_expression() if parser.take_symbol("=") else None


def parse_step(parser: Parser) -> syntax.ScanStep:
    """Parse ``step name output=o: condition => column = value;``."""
    start = parser.advance()
    name = parser.parse_name()
    optional = parser.take_word("optional") is not None
    output = "all"
    if parser.take_word("output"):
        parser.expect_symbol("=")
        output = parser.expect_word("all", "last", "none").text
    parser.expect_symbol(":")
    condition = parser.parse_expression()
    assignments = parser.separated(parser.parse_named) if parser.take_symbol("=>") else ()
    parser.expect_symbol(";")
    return syntax.ScanStep(name, optional, output, condition, assignments, span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "scan": parse_scan,
}
