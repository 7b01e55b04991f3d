"""Mark the stored texts whose nulls a filter drops anyway, so that they are read without ``coalesce``.

::

    T | where s has 'x'
    SELECT coalesce(s, '') … WHERE coalesce(s, '') ILIKE '%x%' …   →   SELECT s … WHERE s ILIKE '%x%' …

Kusto has no null strings (https://learn.microsoft.com/kusto/query/scalar-data-types/null-values), stored columns have,
so each stored text is read through ``coalesce(s, '')``, which costs as much as searching a word in it. A condition that
is false for an empty text is null in SQL for a null text, and a filter drops the row either way.

Precondition: the filter is right above the table. Runs after ``use_sql_equality``: Kusto's own ``==`` is never null.
"""

from __future__ import annotations

import dataclasses

from driftline.kql import functions
from driftline.kql.plan.nodes import Call, Col, Const, Filter, Plan, Scalar, Table
from driftline.kql.plan.walk import bottom_up

__all__ = ["mark_present_texts"]


def mark_present_texts(node: Plan) -> Plan:
    """Return a plan whose tables have ``present`` set to the text columns without which their filter is never true."""
    return bottom_up(node, _change)


def _change(node: Plan) -> Plan:
    if not isinstance(node, Filter) or not isinstance(node.input, Table):
        return node
    texts = {column.id for column in node.input.columns if column.type == "string"}
    present = _present(node.predicate) & texts
    return dataclasses.replace(node, input=dataclasses.replace(node.input, present=present)) if present else node


def _present(value: Scalar) -> frozenset[str]:
    """Return the identifiers of the columns that must have a text for a condition to be true."""
    if not isinstance(value, Call):
        return frozenset()
    if value.function == "and":
        return frozenset().union(*map(_present, value.args))
    if value.function == "or":
        return frozenset.intersection(*map(_present, value.args))
    return _required(value) if functions.find(value.function).false_if_empty else frozenset()


# A text equal to '', or compared with another column, may be empty.
def _required(value: Call) -> frozenset[str]:
    text, *others = value.args
    if isinstance(text, Call) and functions.find(text.function).changes_case_only:
        text = text.args[0]
    strict = all(isinstance(other, Const) and other.value for other in others)
    return frozenset([text.id]) if strict and isinstance(text, Col) else frozenset()
