"""From the syntax tree back to text, in one canonical form; a pipeline has a step a line.

What the tree does not hold is not printed: hints, which change no answer, and how a constant was
spelt. Comments are no part of the tree; ``formatted`` keeps each, on lines of its own above the step
or statement that it trailed, stood in or stood before.

Parsing what is printed gives the same tree, and printing that the same text;
``tests/kql/print/test_printer.py`` holds both.
"""

from __future__ import annotations

from driftline import errors
from driftline.kql import syntax
from driftline.kql.parse import parse
from driftline.kql.print import comments, expressions, operators, statements, tables
from driftline.kql.print.core import Form, Printer
from driftline.kql.text.problems import QueryProblem

__all__ = ["formatted", "printed"]

FORMS: dict[type, Form] = {**expressions.FORMS, **tables.FORMS, **operators.FORMS, **statements.FORMS}
"""Kind of node -> function that prints it."""


def printed(query: syntax.Query) -> str:
    """Write a query as canonical text, which ends in no newline."""
    return Printer(FORMS, {}).query(query)


def formatted(text: str) -> str:
    """Give a query's canonical text, with its comments; raises ``InvalidQuery`` if it cannot be parsed."""
    query = parse(text)
    try:
        kept, last = comments.placed(text, query)
        return "\n".join([Printer(FORMS, kept).query(query), *last])
    except RecursionError:
        raise errors.InvalidQuery(QueryProblem("not supported: a query nested so deeply", 1, 1)) from None
