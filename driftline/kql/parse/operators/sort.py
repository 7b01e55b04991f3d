"""Parse operators on the order and number of rows: sort, top, take, sample, serialize.

https://learn.microsoft.com/kusto/query/sort-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS", "parse_direction"]


def parse_sort(parser: Parser, start: Token) -> Operator:
    """Parse ``sort by keys``."""
    parser.parse_parameters()
    parser.expect_word("by")
    return syntax.Sort(parser.separated(lambda: parse_key(parser)), span=parser.since(start))


def parse_key(parser: Parser) -> syntax.Key:
    """Parse ``value asc nulls first``."""
    start = parser.token
    value = parser.parse_expression()
    descending = parse_direction(parser)
    nulls = parser.expect_word("first", "last").text if parser.take_word("nulls") else None
    return syntax.Key(value, descending, nulls, span=parser.since(start))


def parse_direction(parser: Parser) -> bool | None:
    """Parse ``asc`` or ``desc``: whether the order is descending, ``None`` if the query does not say."""
    word = parser.take_word("asc", "desc")
    return None if word is None else word.text == "desc"


def parse_top(parser: Parser, start: Token) -> Operator:
    """Parse ``top count by keys``."""
    count = parser.parse_expression()
    parser.parse_parameters()
    parser.expect_word("by")
    return syntax.Top(count, parser.separated(lambda: parse_key(parser)), span=parser.since(start))


def parse_top_hitters(parser: Parser, start: Token) -> Operator:
    """Parse ``top-hitters count of value by weight``."""
    count = parser.parse_expression()
    parser.expect_word("of")
    value = parser.parse_expression()
    weight = parser.parse_expression() if parser.take_word("by") else None
    return syntax.TopHitters(count, value, weight, span=parser.since(start))


def parse_limit(parser: Parser, start: Token) -> Operator:
    """Parse ``take count``, ``limit count`` or ``sample count``."""
    # limit is another name of take.
    op = "sample" if start.text == "sample" else "take"
    return syntax.Limit(op, parser.parse_expression(), span=parser.since(start))


def parse_sample_distinct(parser: Parser, start: Token) -> Operator:
    """Parse ``sample-distinct count of value``."""
    count = parser.parse_expression()
    parser.expect_word("of")
    return syntax.SampleDistinct(count, parser.parse_expression(), span=parser.since(start))


def parse_serialize(parser: Parser, start: Token) -> Operator:
    """Parse ``serialize columns``; the columns may be left out."""
    items = () if parser.ends_operator() else parser.separated(parser.parse_named)
    return syntax.Serialize(items, span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "sort": parse_sort,
    "order": parse_sort,
    "top": parse_top,
    "top-hitters": parse_top_hitters,
    "take": parse_limit,
    "limit": parse_limit,
    "sample": parse_limit,
    "sample-distinct": parse_sample_distinct,
    "serialize": parse_serialize,
}
