"""Use SQL's own ``=``, ``<>`` and ``IN`` where a filter drops null and false alike.

::

    where not(a == 1)   NOT (CASE WHEN a IS NULL AND 1 IS NULL THEN NULL ELSE coalesce(a = 1, FALSE) END)
    where a == 1        a = 1

Kusto's ``null == 1`` is false, SQL's is null; a filter drops the row either way. Below ``not`` the two differ, so only
comparisons that are reached through ``and`` and ``or`` are changed. DuckDB and ClickHouse use a plain comparison to
skip row groups; a ``CASE`` around it hides the comparison.

Precondition: the comparison is a condition of a filter. Runs after ``merge_filters``, when conditions are complete.
"""

from __future__ import annotations

import dataclasses

from driftline.kql import functions
from driftline.kql.plan.nodes import Call, Filter, Plan, Scalar
from driftline.kql.plan.walk import bottom_up

__all__ = ["use_sql_equality"]


def use_sql_equality(node: Plan) -> Plan:
    """Return a plan whose filters compare with plain SQL operators."""
    return bottom_up(node, _change)


def _change(node: Plan) -> Plan:
    return dataclasses.replace(node, predicate=_plain(node.predicate)) if isinstance(node, Filter) else node


def _plain(value: Scalar) -> Scalar:
    if not isinstance(value, Call):
        return value
    if value.function in {"and", "or"}:
        return dataclasses.replace(value, args=tuple(_plain(arg) for arg in value.args))
    return dataclasses.replace(value, function=functions.find(value.function).in_filter or value.function)
