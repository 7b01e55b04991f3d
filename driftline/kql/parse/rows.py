"""Parse operators on rows and columns: where, project and its like, summarize, sort, top, join."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from driftline.kql import syntax
from driftline.kql.parse.parser import Parser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_where(parser: Parser, start: Token) -> Operator:
    return syntax.Where(parser.parse_expression(), span=parser.since(start))


def parse_columns(parser: Parser, start: Token) -> Operator:
    items = parser.separated(lambda: ITEMS.get(start.text, parse_named_item)(parser))
    return syntax.Columns(start.text, items, span=parser.since(start))


# The order of what a name without wildcards matches says nothing.
def parse_ordered_pattern(parser: Parser) -> Expr:
    item = parser.parse_pattern()
    order = parser.take_word("asc", "desc", "granny-asc", "granny-desc")
    return replace(item, order=order.text) if order and isinstance(item, syntax.Star) else item


def parse_named_item(parser: Parser) -> Expr:
    if parser.is_symbol("*"):
        return syntax.Star(span=parser.advance().span)
    named = parser.parse_named()
    return named.value if isinstance(named.value, syntax.Star) else named


def parse_summarize(parser: Parser, start: Token) -> Operator:
    parser.parse_parameters()
    aggregates = () if parser.is_word("by") else parser.separated(parser.parse_named)
    parser.take_symbol(",")
    groups = parser.separated(parser.parse_named) if parser.take_word("by") else ()
    return syntax.Summarize(aggregates, groups, span=parser.since(start))


def parse_sort(parser: Parser, start: Token) -> Operator:
    parser.parse_parameters()
    parser.expect_word("by")
    return syntax.Sort(parser.separated(lambda: parse_key(parser)), span=parser.since(start))


def parse_key(parser: Parser) -> syntax.Key:
    start = parser.token
    value = parser.parse_expression()
    descending = parse_direction(parser)
    nulls = parser.expect_word("first", "last").text if parser.take_word("nulls") else None
    return syntax.Key(value, descending, nulls, span=parser.since(start))


def parse_direction(parser: Parser) -> bool | None:
    word = parser.take_word("asc", "desc")
    return None if word is None else word.text == "desc"


def parse_top(parser: Parser, start: Token) -> Operator:
    count = parser.parse_expression()
    parser.parse_parameters()
    parser.expect_word("by")
    return syntax.Top(count, parser.separated(lambda: parse_key(parser)), span=parser.since(start))


def parse_top_nested(parser: Parser, start: Token) -> Operator:
    levels = [parse_level(parser, start)]
    while parser.take_symbol(","):
        levels.append(parse_level(parser, parser.expect_word("top-nested")))
    return syntax.TopNested(tuple(levels), span=parser.since(start))


def parse_level(parser: Parser, start: Token) -> syntax.NestedLevel:
    count = None if parser.is_word("of") else parser.parse_expression()
    parser.expect_word("of")
    value = parser.parse_named()
    others = None
    if parser.take_word("with"):
        parser.expect_word("others")
        parser.expect_symbol("=")
        others = parser.parse_expression()
    parser.expect_word("by")
    aggregate = parser.parse_named()
    return syntax.NestedLevel(count, value, others, aggregate, parse_direction(parser), span=parser.since(start))


def parse_reduce(parser: Parser, start: Token) -> Operator:
    kind = next((setting.value for setting in parser.parse_parameters() if setting.name == "kind"), "")
    parser.expect_word("by")
    value = parser.parse_expression()
    given: dict[str, syntax.Expr] = {}
    if parser.take_word("with"):
        while word := parser.take_word("threshold", "characters"):
            parser.expect_symbol("=")
            given[word.text] = parser.parse_expression()
            parser.take_symbol(",")
    return syntax.Reduce(kind, value, given.get("threshold"), given.get("characters"), span=parser.since(start))


def parse_top_hitters(parser: Parser, start: Token) -> Operator:
    count = parser.parse_expression()
    parser.expect_word("of")
    value = parser.parse_expression()
    weight = parser.parse_expression() if parser.take_word("by") else None
    return syntax.TopHitters(count, value, weight, span=parser.since(start))


def parse_limit(parser: Parser, start: Token) -> Operator:
    op = "sample" if start.text == "sample" else "take"
    return syntax.Limit(op, parser.parse_expression(), span=parser.since(start))


def parse_sample_distinct(parser: Parser, start: Token) -> Operator:
    count = parser.parse_expression()
    parser.expect_word("of")
    return syntax.SampleDistinct(count, parser.parse_expression(), span=parser.since(start))


# ``count as n`` is as old as KQL, and older than summarize.
def parse_count(parser: Parser, start: Token) -> Operator:
    if not parser.take_word("as"):
        return syntax.Plain(start.text, span=start.span)
    name = parser.parse_name()
    counted = syntax.Named((name,), syntax.Call("count", (), span=start.span), span=parser.since(start))
    return syntax.Summarize((counted,), (), span=parser.since(start))


def parse_serialize(parser: Parser, start: Token) -> Operator:
    items = () if parser.ends_operator() else parser.separated(parser.parse_named)
    return syntax.Serialize(items, span=parser.since(start))


def parse_join(parser: Parser, start: Token) -> Operator:
    parameters = parser.parse_parameters()
    table = parser.parse_bracketed() if parser.is_symbol("(") else parser.parse_postfix()
    parameters += parser.parse_parameters()
    conditions = parser.separated(parser.parse_expression) if parser.take_word("on") else ()
    return syntax.Join(start.text, parameters, table, conditions, span=parser.since(start))


ITEMS: dict[str, Callable[[Parser], Expr]] = {
    "project-away": Parser.parse_pattern,
    "project-keep": Parser.parse_pattern,
    "project-reorder": parse_ordered_pattern,
}

OPERATORS: dict[str, Callable[[Parser, Token], Operator]] = {
    "where": parse_where,
    "filter": parse_where,
    "project": parse_columns,
    "project-away": parse_columns,
    "project-keep": parse_columns,
    "project-rename": parse_columns,
    "project-reorder": parse_columns,
    "extend": parse_columns,
    "distinct": parse_columns,
    "summarize": parse_summarize,
    "sort": parse_sort,
    "order": parse_sort,
    "top": parse_top,
    "top-nested": parse_top_nested,
    "top-hitters": parse_top_hitters,
    "reduce": parse_reduce,
    "take": parse_limit,
    "limit": parse_limit,
    "sample": parse_limit,
    "sample-distinct": parse_sample_distinct,
    "count": parse_count,
    "serialize": parse_serialize,
    "join": parse_join,
    "lookup": parse_join,
}
