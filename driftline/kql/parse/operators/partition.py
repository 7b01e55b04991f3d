"""Parse partition.

https://learn.microsoft.com/kusto/query/partition-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_partition(parser: Parser, start: Token) -> Operator:
    """Parse ``partition by column (pipeline)`` or, with a source of its own, ``partition by column {pipeline}``."""
    parameters = parser.parse_parameters()
    parser.expect_word("by")
    place = parser.token
    column = syntax.Name(parser.parse_name(), span=place.span)
    if parser.take_symbol("{"):
        source = parser.nested(parser.parse_pipe)
        parser.expect_symbol("}")
        return syntax.Partition(parameters, column, (), source, span=parser.since(start))
    return syntax.Partition(parameters, column, parser.parse_body(), span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "partition": parse_partition,
}
