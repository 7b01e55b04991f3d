"""Parse join and lookup.

https://learn.microsoft.com/kusto/query/join-operator
"""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.parse.parser import ParseOperator, Parser
from driftline.kql.syntax import Operator
from driftline.kql.text.tokens import Token

__all__ = ["OPERATORS"]


def parse_join(parser: Parser, start: Token) -> Operator:
    """Parse ``join kind=k (table) on conditions``, or lookup; parameters may also follow the table."""
    parameters = parser.parse_parameters()
    table = parser.parse_bracketed() if parser.is_symbol("(") else parser.parse_postfix()
    # Hints may also stand behind the table.
    parameters += parser.parse_parameters()
    conditions = parser.separated(parser.parse_expression) if parser.take_word("on") else ()
    return syntax.Join(start.text, parameters, table, conditions, span=parser.since(start))


OPERATORS: dict[str, ParseOperator] = {
    "join": parse_join,
    "lookup": parse_join,
}
