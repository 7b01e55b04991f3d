"""Lift subqueries out of calls whose DuckDB SQL has lambdas or TRY, which DuckDB lets hold no subquery.

A call that depends on the row gets the subquery's value from a column of a projection below::

    SELECT list_filter(d, lambda x: list_contains((SELECT list(a) FROM U), x)) FROM T
    SELECT list_filter(d, lambda x: list_contains("·once 0", x))
    FROM (SELECT d, (SELECT list(a) FROM U) AS "·once 0" FROM T)

Any other call moves into a subquery itself, which computes it once and may stand anywhere (``range``, ``print``)::

    SELECT … FROM T WHERE t > TRY((SELECT max(t) FROM U) + INTERVAL 5 MINUTE)
    SELECT … FROM T WHERE t > (SELECT TRY("·once 0" + INTERVAL 5 MINUTE)
                               FROM (SELECT (SELECT max(t) FROM U) AS "·once 0"))

(before and after, shortened). Precondition: the dialect is DuckDB. Runs just before the SQL is emitted, after all other
rewrites: ``merge_projects`` would undo it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from driftline.kql.functions import AGGREGATES, find
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import (
    Aggregate,
    Call,
    Col,
    Column,
    Const,
    Expand,
    Filter,
    Plan,
    Project,
    Scalar,
    Subquery,
    Values,
    Window,
)

__all__ = ["lift_subqueries"]

BY_CODE = frozenset(["extract_all_groups"])  # calls without a template whose SQL has a lambda
Steps = dict[str, Scalar]
"""Lifted subqueries by the identifier of the column that replaces them."""


def lift_subqueries(plan: Plan) -> Plan:
    """Return a plan with subqueries moved out of calls whose SQL cannot hold them; the plan's columns stay the same.

    The new columns are named ``·once 0``, ``·once 1`` …: a dot that no identifier of a query has.
    """
    return _freed(plan, (f"·once {number}" for number in itertools.count()))


def _freed(node: Plan, names: Iterator[str]) -> Plan:
    node = walk.map_plans(node, lambda each: _freed(each, names))
    node = walk.map_scalars(node, lambda each: _inside(each, names))
    node = walk.map_scalars(node, lambda each: _apart(each, names))
    if not isinstance(node, (Project, Filter, Aggregate, Expand)):
        return node
    steps: Steps = {}
    free = walk.map_scalars(node, lambda each: _free(each, steps, names))
    return _over_steps(free, node.columns, steps) if steps else node


# A subquery within a scalar's plan is lifted in that plan.
def _inside(value: Scalar, names: Iterator[str]) -> Scalar:
    value = walk.map_plans(value, lambda each: _freed(each, names))
    return walk.map_scalars(value, lambda each: _inside(each, names))


# The innermost subqueries of a call become columns of one row, from which another projection computes the call.
def _apart(value: Scalar, names: Iterator[str]) -> Scalar:
    if not _refuses(value) or not _is_closed(value):
        return walk.map_scalars(value, lambda part: _apart(part, names))
    steps: Steps = {}
    free = walk.map_scalars(value, lambda argument: _named(argument, steps, names))
    if not steps:
        return value
    one, made = Column(next(names), "long"), Column(next(names), value.type)
    row = Values((one,), ((Const("long", 0),),))
    columns = tuple(Column(name, step.type) for name, step in steps.items())
    return Subquery(Project(Project(row, columns, tuple(steps.values())), (made,), (free,)), value.type)


def _refuses(value: Scalar) -> bool:
    if not isinstance(value, Call):
        return False
    return value.function in BY_CODE or find(value.function).refuses_subqueries


# Whether a value is the same for all rows. An aggregate without arguments (``count()``) is not.
def _is_closed(value: Scalar) -> bool:
    if isinstance(value, (Col, Window)):
        return False
    if isinstance(value, Call) and (value.function in AGGREGATES or find(value.function).volatile):
        return False
    return all(map(_is_closed, walk.scalars(value)))


def _free(value: Scalar, steps: Steps, names: Iterator[str]) -> Scalar:
    if _refuses(value):
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
