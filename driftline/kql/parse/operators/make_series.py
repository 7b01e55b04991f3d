"""Parse make-series.

https://learn.microsoft.com/kusto/query/make-series-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_make_series(parser: Parser, start: Token) -> Operator:
    """Parse ``make-series aggregates on axis from start to stop step step by groups``."""
    parameters = parser.parse_parameters()
    series = parser.separated(lambda: parse_series(parser))
    parser.expect_word("on")
    axis = parser.parse_named()
    first = last = None
    if parser.take_word("from"):
        first = parser.parse_expression()
    if parser.take_word("to"):
        last = parser.parse_expression()
    # The older form gives bounds and step at once.
    if parser.take_word("in"):
        first, last, step = parse_in_range(parser)
    else:
        parser.expect_word("step")
        step = parser.parse_expression()
    groups = parser.separated(parser.parse_named) if parser.take_word("by") else ()
    return syntax.MakeSeries(parameters, series, axis, first, last, step, groups, span=parser.since(start))


def parse_in_range(parser: Parser) -> tuple[Expr, Expr, Expr]:
    """Parse the older ``in range(start, stop, step)``.

    In this form bins begin at multiples of the step, and the stop lies within the last bin.
    """
    place = parser.expect_word("range")
    parser.expect_symbol("(")
    first = parser.parse_expression()
    parser.expect_symbol(",")
    last = parser.parse_expression()
    parser.expect_symbol(",")
    step = parser.parse_expression()
    parser.expect_symbol(")")
    start, end = (syntax.Call("bin", (bound, step), span=place.span) for bound in (first, last))
    return start, syntax.Binary("+", end, step, span=place.span), step


def parse_series(parser: Parser) -> syntax.Series:
    """Parse an aggregate with its default."""
    start = parser.token
    aggregate = parser.parse_named()
    default = None
    if parser.take_word("default"):
        parser.expect_symbol("=")
        default = parser.parse_expression()
    return syntax.Series(aggregate, default, span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "make-series": parse_make_series,
}
