"""Parse summarize and count.

https://learn.microsoft.com/kusto/query/summarize-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_summarize(parser: Parser, start: Token) -> Operator:
    """Parse ``summarize aggregates by groups``; either may be left out."""
    parser.parse_parameters()
    aggregates = () if parser.is_word("by") else parser.separated(parser.parse_named)
    parser.take_symbol(",")
    groups = parser.separated(parser.parse_named) if parser.take_word("by") else ()
    return syntax.Summarize(aggregates, groups, span=parser.since(start))


def parse_count(parser: Parser, start: Token) -> Operator:
    """Parse ``count``, or the older ``count as name``, which becomes a summarize."""
    if not parser.take_word("as"):
        return syntax.Count(span=start.span)
    name = parser.parse_name()
    counted = syntax.Named((name,), syntax.Call("count", (), span=start.span), span=parser.since(start))
    return syntax.Summarize((counted,), (), span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "summarize": parse_summarize,
    "count": parse_count,
}
