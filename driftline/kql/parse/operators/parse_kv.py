"""Parse parse-kv.

https://learn.microsoft.com/kusto/query/parse-kv-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_parse_kv(parser: Parser, start: Token) -> Operator:
    """Parse ``parse-kv text as (columns) with (settings)``."""
    value = parser.parse_expression()
    parser.expect_word("as")
    parser.expect_symbol("(")
    columns = parser.until(")", parser.parse_typed_name)
    settings: tuple[syntax.Named, ...] = ()
    if parser.take_word("with"):
        parser.expect_symbol("(")
        settings = parser.until(")", parser.parse_named)
    return syntax.ParseKv(value, columns, settings, span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "parse-kv": parse_parse_kv,
}
