"""Choose the SQL of word searches: by ``ILIKE`` alone, by ``contains(lower(…))`` next to an equality.

::

    where s has 'curl'              s ILIKE '%curl%' AND regexp_matches(s, …)
    where s has 'curl' and a == 1   contains(lower(s), 'curl') AND regexp_matches(s, …) AND a = 1

DuckDB searches all rows fastest with ``ILIKE``. But it evaluates ``ILIKE`` also for the rows that another condition of
the filter has dropped, and ``contains(lower(…))`` only for the rows that are left. Over 3 M command lines next to
``FileName in~ (…)``, ``ILIKE`` took 590 ms and ``contains`` 235 ms (``bench.kql``). An equality is taken to leave
few rows.

Precondition: none; both forms find the same rows. Runs last of the filter rewrites, because ``mark_present_texts`` does
not know the functions ``has_of_few`` and ``term_of_few``.
"""

from __future__ import annotations

import dataclasses

from driftline.kql import functions
from driftline.kql.plan.nodes import Call, Filter, Plan, Scalar
from driftline.kql.plan.walk import bottom_up

__all__ = ["choose_word_search"]


def choose_word_search(node: Plan) -> Plan:
    """Return a plan whose filters with an equality search words among the remaining rows only."""
    return bottom_up(node, _change)


def _change(node: Plan) -> Plan:
    if not isinstance(node, Filter) or not _requires_equality(node.predicate):
        return node
    return dataclasses.replace(node, predicate=_of_few(node.predicate))


# An equality below ``or`` or ``not`` does not leave few rows.
def _requires_equality(value: Scalar) -> bool:
    if not isinstance(value, Call):
        return False
    if value.function == "and":
        return any(map(_requires_equality, value.args))
    return functions.find(value.function).equality


def _of_few(value: Scalar) -> Scalar:
    if not isinstance(value, Call):
        return value
    if value.function in {"and", "or"}:
        return dataclasses.replace(value, args=tuple(map(_of_few, value.args)))
    return dataclasses.replace(value, function=functions.find(value.function).among_few_rows or value.function)
