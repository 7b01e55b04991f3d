"""Parse mv-expand and mv-apply.

https://learn.microsoft.com/kusto/query/mv-expand-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_mv_expand(parser: Parser, start: Token) -> Operator:
    """Parse ``mv-expand columns limit n``."""
    parameters = parser.parse_parameters()
    items = parser.separated(lambda: parse_expanded(parser))
    limit = parser.parse_expression() if parser.take_word("limit") else None
    return syntax.MvExpand(parameters, items, limit, span=parser.since(start))


def parse_mv_apply(parser: Parser, start: Token) -> Operator:
    """Parse ``mv-apply columns limit n on (pipeline)``."""
    parameters = parser.parse_parameters()
    items = parser.separated(lambda: parse_expanded(parser))
    limit = parser.parse_expression() if parser.take_word("limit") else None
    parser.expect_word("on")
    body = parser.parse_body()
    return syntax.MvApply(parameters, items, limit, body, span=parser.since(start))


def parse_expanded(parser: Parser) -> syntax.Expanded:
    """Parse ``name = value to typeof(type)``."""
    start = parser.token
    item = parser.parse_named()
    kind = None
    if parser.take_word("to"):
        parser.expect_word("typeof")
        parser.expect_symbol("(")
        kind = parser.parse_type()
        parser.expect_symbol(")")
    return syntax.Expanded(item, kind, span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "mv-expand": parse_mv_expand,
    "mvexpand": parse_mv_expand,
    "mv-apply": parse_mv_apply,
    "mvapply": parse_mv_apply,
}
