"""Parse reduce.

https://learn.microsoft.com/kusto/query/reduce-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_reduce(parser: Parser, start: Token) -> Operator:
    """Parse ``reduce kind=k by text with threshold=x, characters=y``."""
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


OPERATORS: dict[str, ParseOperator] = {
    "reduce": parse_reduce,
}
