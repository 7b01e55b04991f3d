"""Compute subqueries in columns below where a template would put them inside of a lambda.

DuckDB knows no subquery there (``set_intersect(toscalar(…), x)``).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from driftline.kql.functions import FUNCTIONS
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Aggregate, Call, Col, Column, Expand, Filter, Plan, Project, Scalar, Subquery

__all__ = ["lift_subqueries"]

WITH_LAMBDAS = frozenset(name for name, row in FUNCTIONS.items() if "lambda" in str(row.duckdb))
Steps = dict[str, Scalar]


def lift_subqueries(plan: Plan) -> Plan:
    """Move subqueries out of calls whose SQL has lambdas; none of the plan's columns changes."""
    return _freed(plan, (f"·once {number}" for number in itertools.count()))


def _freed(node: Plan, names: Iterator[str]) -> Plan:
    node = walk.map_plans(node, lambda each: _freed(each, names))
    node = walk.map_scalars(node, lambda each: _inside(each, names))
    if not isinstance(node, (Project, Filter, Aggregate, Expand)):
        return node
    steps: Steps = {}
    free = walk.map_scalars(node, lambda each: _free(each, steps, names))
    return _standing_on(free, node.columns, steps) if steps else node


# Plans inside of scalars have steps of their own.
def _inside(value: Scalar, names: Iterator[str]) -> Scalar:
    value = walk.map_plans(value, lambda each: _freed(each, names))
    return walk.map_scalars(value, lambda each: _inside(each, names))


def _free(value: Scalar, steps: Steps, names: Iterator[str]) -> Scalar:
    if isinstance(value, Call) and value.function in WITH_LAMBDAS:
        return walk.map_scalars(value, lambda argument: _named(argument, steps, names))
    return walk.map_scalars(value, lambda part: _free(part, steps, names))


def _named(argument: Scalar, steps: Steps, names: Iterator[str]) -> Scalar:
    if not isinstance(argument, Subquery):
        return walk.map_scalars(argument, lambda part: _named(part, steps, names))
    name = next(names)
    steps[name] = argument
    return Col(name, argument.type)


def _standing_on(node: Plan, columns: tuple[Column, ...], steps: Steps) -> Plan:
    (below,) = walk.inputs(node)
    kept = tuple(Col(column.id, column.type) for column in below.columns)
    made = tuple(Column(name, value.type) for name, value in steps.items())
    node = walk.map_plans(node, lambda _: Project(below, (*below.columns, *made), (*kept, *steps.values())))
    if node.columns == columns:
        return node
    return Project(node, columns, tuple(Col(column.id, column.type) for column in columns))
