"""Lift subqueries out of calls whose DuckDB SQL has lambdas, into columns of a projection below.

``set_intersect(toscalar(U | summarize make_list(a)), d)`` is emitted with lambdas::

    SELECT list_filter(d, lambda x: list_contains((SELECT list(a) FROM U), x)) FROM T
    SELECT list_filter(d, lambda x: list_contains("·once 0", x))
    FROM (SELECT d, (SELECT list(a) FROM U) AS "·once 0" FROM T)

(before and after, shortened). DuckDB refuses a subquery within a lambda, and a template may use its argument there.

Precondition: the dialect is DuckDB. Runs just before the SQL is emitted, after all other rewrites: ``merge_projects``
would undo it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from driftline.kql.functions import FUNCTIONS
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Aggregate, Call, Col, Column, Expand, Filter, Plan, Project, Scalar, Subquery

__all__ = ["lift_subqueries"]

Steps = dict[str, Scalar]
"""Lifted subqueries by the identifier of the column that replaces them."""


def lift_subqueries(plan: Plan) -> Plan:
    """Return a plan with subqueries moved out of calls whose SQL has lambdas; the plan's columns stay the same.

    The new columns are named ``·once 0``, ``·once 1`` …: a dot that no identifier of a query has.
    """
    return _freed(plan, (f"·once {number}" for number in itertools.count()))


def _freed(node: Plan, names: Iterator[str]) -> Plan:
    node = walk.map_plans(node, lambda each: _freed(each, names))
    node = walk.map_scalars(node, lambda each: _inside(each, names))
    if not isinstance(node, (Project, Filter, Aggregate, Expand)):
        return node
    steps: Steps = {}
    free = walk.map_scalars(node, lambda each: _free(each, steps, names))
    return _over_steps(free, node.columns, steps) if steps else node


# A subquery within a scalar's plan is lifted in that plan.
def _inside(value: Scalar, names: Iterator[str]) -> Scalar:
    value = walk.map_plans(value, lambda each: _freed(each, names))
    return walk.map_scalars(value, lambda each: _inside(each, names))


def _free(value: Scalar, steps: Steps, names: Iterator[str]) -> Scalar:
    if isinstance(value, Call) and value.function in FUNCTIONS and FUNCTIONS[value.function].uses_lambda:
        return walk.map_scalars(value, lambda argument: _named(argument, steps, names))
    return walk.map_scalars(value, lambda part: _free(part, steps, names))


# A subquery may be deeper within the argument of the call: all of the argument goes into the lambda.
def _named(argument: Scalar, steps: Steps, names: Iterator[str]) -> Scalar:
    if not isinstance(argument, Subquery):
        return walk.map_scalars(argument, lambda part: _named(part, steps, names))
    name = next(names)
    steps[name] = argument
    return Col(name, argument.type)


# Put a projection with the lifted subqueries below the node. A filter passes the new columns on, so another
# projection above it removes them.
def _over_steps(node: Plan, columns: tuple[Column, ...], steps: Steps) -> Plan:
    (below,) = walk.inputs(node)
    kept = tuple(Col(column.id, column.type) for column in below.columns)
    made = tuple(Column(name, value.type) for name, value in steps.items())
    node = walk.map_plans(node, lambda _: Project(below, (*below.columns, *made), (*kept, *steps.values())))
    if node.columns == columns:
        return node
    return Project(node, columns, tuple(Col(column.id, column.type) for column in columns))
