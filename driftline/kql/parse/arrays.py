"""Parse operators on arrays and series: mv-expand, mv-apply, make-series."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.parse.parser import Parser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_mv_expand(parser: Parser, start: Token) -> Operator:
    parameters = parser.parse_parameters()
    items = parser.separated(lambda: parse_expanded(parser))
    limit = parser.parse_expression() if parser.take_word("limit") else None
    return syntax.MvExpand(parameters, items, limit, span=parser.since(start))


def parse_mv_apply(parser: Parser, start: Token) -> Operator:
    parameters = parser.parse_parameters()
    items = parser.separated(lambda: parse_expanded(parser))
    limit = parser.parse_expression() if parser.take_word("limit") else None
    parser.expect_word("on")
    body = parser.parse_body()
    return syntax.MvApply(parameters, items, limit, body, span=parser.since(start))


def parse_expanded(parser: Parser) -> syntax.Expanded:
    start = parser.token
    item = parser.parse_named()
    kind = None
    if parser.take_word("to"):
        parser.expect_word("typeof")
        parser.expect_symbol("(")
        kind = parser.parse_type()
        parser.expect_symbol(")")
    return syntax.Expanded(item, kind, span=parser.since(start))


def parse_make_series(parser: Parser, start: Token) -> Operator:
    parameters = parser.parse_parameters()
    series = parser.separated(lambda: parse_series(parser))
    parser.expect_word("on")
    axis = parser.parse_named()
    first = last = None
    if parser.take_word("from"):
        first = parser.parse_expression()
    if parser.take_word("to"):
        last = parser.parse_expression()
    if parser.take_word("in"):
        first, last, step = parse_in_range(parser)
    else:
        parser.expect_word("step")
        step = parser.parse_expression()
    groups = parser.separated(parser.parse_named) if parser.take_word("by") else ()
    return syntax.MakeSeries(parameters, series, axis, first, last, step, groups, span=parser.since(start))


# In this form bins begin at multiples of the step, and the stop is within the last.
def parse_in_range(parser: Parser) -> tuple[Expr, Expr, Expr]:
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
    start = parser.token
    aggregate = parser.parse_named()
    default = None
    if parser.take_word("default"):
        parser.expect_symbol("=")
        default = parser.parse_expression()
    return syntax.Series(aggregate, default, span=parser.since(start))


OPERATORS: dict[str, Callable[[Parser, Token], Operator]] = {
    "mv-expand": parse_mv_expand,
    "mvexpand": parse_mv_expand,
    "mv-apply": parse_mv_apply,
    "mvapply": parse_mv_apply,
    "make-series": parse_make_series,
}
