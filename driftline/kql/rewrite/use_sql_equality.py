"""Use SQL's own ``=`` and ``<>`` where null and false mean the same.

Kusto's ``null == 1`` is false and SQL's is null; a filter drops both. Under ``not`` they
differ, so only conditions reached through ``and`` and ``or`` alone are changed. The engines
can push a plain comparison down to row groups, a CASE they cannot.
"""

from __future__ import annotations

import dataclasses

from driftline.kql.plan.nodes import Call, Filter, Plan, Scalar
from driftline.kql.plan.walk import bottom_up

__all__ = ["use_sql_equality"]

PLAIN = {"==": "==filter", "!=": "!=filter", "in": "infilter"}


def use_sql_equality(node: Plan) -> Plan:
    """Simplify the conditions of all filters."""
    return bottom_up(node, _change)


def _change(node: Plan) -> Plan:
    return dataclasses.replace(node, predicate=_plain(node.predicate)) if isinstance(node, Filter) else node


def _plain(value: Scalar) -> Scalar:
    if not isinstance(value, Call):
        return value
    if value.function in {"and", "or"}:
        return dataclasses.replace(value, args=tuple(_plain(arg) for arg in value.args))
    return dataclasses.replace(value, function=PLAIN.get(value.function, value.function))
