"""Give a name to long values inside of others, so that SQL says them once.

A template may write its argument several times: JSON within text within JSON, as hunts over audit
logs read it (``parse_json(tostring(parse_json(…)))``), would grow more than tenfold with each level.
What an engine does not take within a template gets a step of its own, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from driftline.kql.functions import FUNCTIONS
from driftline.kql.plan import Aggregate, Call, Col, Column, Const, Expand, Filter, Plan, Project, Scalar, Subquery
from driftline.kql.rewrite import walk

__all__ = ["name_steps"]

LONG = 24  # so many parts, and an argument is worth a step of its own
COPIES = 3  # how often templates of dynamic values write an argument
WITH_LAMBDAS = frozenset(name for name, row in FUNCTIONS.items() if "lambda" in str(row.duckdb))
Steps = dict[str, Scalar]


def name_steps(plan: Plan) -> Plan:
    """Compute long arguments in columns below; none of the plan's columns changes."""
    return _named(plan, (f"·step {number}" for number in itertools.count()))


def _named(node: Plan, names: Iterator[str]) -> Plan:
    node = walk.map_plans(node, lambda each: _named(each, names))
    node = walk.map_scalars(node, lambda each: _inside(each, names))
    if not isinstance(node, (Project, Filter, Aggregate, Expand)):
        return node
    steps: Steps = {}
    shorter = walk.map_scalars(node, lambda each: _shorter(each, steps, names)[0])
    return _standing_on(shorter, node.columns, steps) if steps else node


# Plans inside of scalars have steps of their own.
def _inside(value: Scalar, names: Iterator[str]) -> Scalar:
    value = walk.map_plans(value, lambda each: _named(each, names))
    return walk.map_scalars(value, lambda each: _inside(each, names))


def _shorter(value: Scalar, steps: Steps, names: Iterator[str]) -> tuple[Scalar, int]:
    """Give a value with its long arguments named, and how long it is as SQL."""
    length, copies = int(not isinstance(value, Const)), _copies(value)

    def part(inner: Scalar) -> Scalar:
        nonlocal length
        short, own = _shorter(inner, steps, names)
        if isinstance(value, Call) and (_is_trapped(value, short) or (own > LONG and isinstance(short, Call))):
            name = next(names)
            steps[name] = short
            short, own = Col(name, short.type), 1
        length += own * copies
        return short

    return walk.map_scalars(value, part), length


# DuckDB knows no subquery inside of a lambda.
def _is_trapped(value: Call, argument: Scalar) -> bool:
    if value.function not in WITH_LAMBDAS or not isinstance(argument, (Call, Subquery)):
        return False
    return any(isinstance(part, Subquery) for part in walk.nodes(argument))


def _copies(value: Scalar) -> int:
    if not isinstance(value, Call) or "dynamic" not in (value.type, *(arg.type for arg in value.args)):
        return 1
    member = value.function == "element" and isinstance(value.args[1], Const) and value.args[1].type == "string"
    return 1 if member else COPIES  # a member of a bag is one call


# A step may stand on those before it, so each is a projection of its own.
def _standing_on(node: Plan, columns: tuple[Column, ...], steps: Steps) -> Plan:
    (below,) = walk.inputs(node)
    for name, value in steps.items():
        kept = tuple(Col(column.id, column.type) for column in below.columns)
        below = Project(below, (*below.columns, Column(name, value.type)), (*kept, value))
    node = walk.map_plans(node, lambda _: below)
    if node.columns == columns:
        return node
    return Project(node, columns, tuple(Col(column.id, column.type) for column in columns))
