"""Parse operators that are lists of columns: project and its variants, extend, distinct.

https://learn.microsoft.com/kusto/query/project-operator
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Expr, Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_columns(parser: Parser, start: Token) -> Operator:
    """Parse the list of columns of an operator."""
    items = parser.separated(lambda: ITEMS.get(start.text, parse_named_item)(parser))
    return syntax.Columns(start.text, items, span=parser.since(start))


def parse_ordered_pattern(parser: Parser) -> Expr:
    """Parse an item of project-reorder; an order says nothing for a name without wildcards."""
    item = parser.parse_pattern()
    order = parser.take_word("asc", "desc", "granny-asc", "granny-desc")
    return replace(item, order=order.text) if order and isinstance(item, syntax.Star) else item


def parse_named_item(parser: Parser) -> Expr:
    """Parse ``name = value``, a value, or ``*``."""
    if parser.is_symbol("*"):
        return syntax.Star(span=parser.advance().span)
    named = parser.parse_named()
    return named.value if isinstance(named.value, syntax.Star) else named


ITEMS: dict[str, Callable[[Parser], Expr]] = {
    "project-away": Parser.parse_pattern,
    "project-keep": Parser.parse_pattern,
    "project-reorder": parse_ordered_pattern,
}


OPERATORS: dict[str, ParseOperator] = {
    "project": parse_columns,
    "project-away": parse_columns,
    "project-by-names": parse_columns,
    "project-keep": parse_columns,
    "project-rename": parse_columns,
    "project-reorder": parse_columns,
    "extend": parse_columns,
    "distinct": parse_columns,
}
