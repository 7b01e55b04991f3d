"""Parse operators that driftline does not support: their text is skipped, so that the rest is still checked."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.problems import Span
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS", "parse_unsupported", "skipped"]


def parse_unsupported(parser: Parser, start: Token) -> Operator:
    """Skip an operator that driftline does not support."""
    return skipped(parser, start, parser.token)


def skipped(parser: Parser, start: Token, first: Token) -> Operator:
    """Skip the rest of an operator and keep its text from ``first`` on; later operators are still checked."""
    parser.skip_to("|", ";")
    text = parser.text_since(first)
    return syntax.Unsupported(start.text, text, span=Span(start.span.offset, len(start.text)))


OPERATORS: dict[str, ParseOperator] = {
    "assert-schema": parse_unsupported,
    "consume": parse_unsupported,
    "facet": parse_unsupported,
    "fork": parse_unsupported,
    "macro-expand": parse_unsupported,
}
