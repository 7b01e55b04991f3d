"""Look for words in another way where an equality beside them leaves few rows.

Of all rows, DuckDB finds a word soonest by ILIKE; but ILIKE looks at the rows as well that
another condition of the filter has dropped, ``contains(lower(…))`` at the others alone. Over 3 M
command lines beside ``FileName in~ (…)`` it took 590 ms against 235 ms (``bench.kql``).
"""

from __future__ import annotations

import dataclasses

from driftline.kql.plan.nodes import Call, Filter, Plan, Scalar
from driftline.kql.plan.walk import bottom_up

__all__ = ["choose_word_search"]

EQUAL = frozenset(["==filter", "==string", "infilter", "=~"])
OF_FEW = {"has": "has_of_few", "term": "term_of_few"}


def choose_word_search(node: Plan) -> Plan:
    """Change the words of all filters that ask for equality too."""
    return bottom_up(node, _change)


def _change(node: Plan) -> Plan:
    if not isinstance(node, Filter) or not _asks_equality(node.predicate):
        return node
    return dataclasses.replace(node, predicate=_of_few(node.predicate))


def _asks_equality(value: Scalar) -> bool:
    if not isinstance(value, Call):
        return False
    return value.function in EQUAL or (value.function == "and" and any(map(_asks_equality, value.args)))


def _of_few(value: Scalar) -> Scalar:
    if not isinstance(value, Call):
        return value
    if value.function in {"and", "or"}:
        return dataclasses.replace(value, args=tuple(map(_of_few, value.args)))
    return dataclasses.replace(value, function=OF_FEW.get(value.function, value.function))
