"""From the syntax tree to text, in one canonical form; a pipeline has a step a line.

The tree does not hold hints, which change no answer, or the spelling of constants, so they are not printed as
written. Comments are no part of the tree; ``formatted`` keeps each, on lines of its own above the step or statement
that it belongs to.

Parsing the printed text gives the same tree, and printing that tree the same text;
``tests/kql/print/test_printer.py`` checks both.
"""

from __future__ import annotations

from driftline import errors
from driftline.kql import syntax
from driftline.kql.parse import parse
from driftline.kql.print import comments, expressions, operators, statements, tables
from driftline.kql.print.core import Form, Printer

__all__ = ["formatted", "printed"]

FORMS: dict[type, Form] = {**expressions.FORMS, **tables.FORMS, **operators.FORMS, **statements.FORMS}
"""Kind of node -> function that prints it."""


def printed(query: syntax.Query) -> str:
    """Write a query as canonical text, which ends without a newline."""
    return Printer(FORMS, {}).query(query)


def formatted(text: str) -> str:
    """Return a query's canonical text, with its comments.

    Raises ``errors.InvalidQuery`` if the text cannot be parsed.
    """
    query = parse(text)
    try:
        kept, last = comments.placed(text, query)
        return "\n".join([Printer(FORMS, kept).query(query), *last])
    except RecursionError:
        raise errors.InvalidQuery(errors.QueryProblem("not supported: a query nested so deeply", 1, 1)) from None
