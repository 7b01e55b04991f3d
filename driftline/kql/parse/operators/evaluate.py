"""Parse evaluate.

https://learn.microsoft.com/kusto/query/evaluate-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Kind, Token

__all__ = ["OPERATORS", "parse_plugin"]


def parse_evaluate(parser: Parser, start: Token) -> Operator:
    """Parse ``evaluate plugin(arguments) : (*, columns)``."""
    parser.parse_parameters()
    call = parse_plugin(parser)
    schema: tuple[syntax.TypedName, ...] = ()
    whole = False
    if parser.take_symbol(":"):
        parser.expect_symbol("(")
        whole = parser.take_symbol("*") is not None
        if whole:
            parser.take_symbol(",")
        schema = parser.until(")", parser.parse_typed_name)
    return syntax.Evaluate(call, schema, whole, span=parser.since(start))


def parse_plugin(parser: Parser) -> syntax.Call:
    """Parse the call of a plugin or function: ``name(arguments)``."""
    start = parser.token
    name = parser.expect_kind(Kind.WORD).text
    parser.expect_symbol("(")
    return syntax.Call(name, parser.until(")", parser.parse_argument), span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "evaluate": parse_evaluate,
}
