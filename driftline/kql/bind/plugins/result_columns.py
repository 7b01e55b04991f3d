"""Columns of a plugin's result: as the query declares them, or found in the data.

https://learn.microsoft.com/kusto/query/evaluate-operator
"""

from __future__ import annotations

from typing import Any

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.outputs import Output, projected, ref
from driftline.kql.plan.nodes import Const, Plan, Scalar

__all__ = ["declared", "discovered"]

MOST_COLUMNS = 500


def discovered(plan: Plan, node: syntax.Evaluate, scope: Scope) -> list[tuple[Any, ...]]:
    """Run a plan on which the result's columns depend, and return its rows.

    Notes a problem if no rows can be read here, if an earlier problem makes the plan doubtful, or if the result would
    have more than ``MOST_COLUMNS`` columns.
    """
    if scope.session.discover is None:
        scope.fail(
            f"not supported here: evaluate {node.call.name} without the result's columns; "
            f"say them: evaluate {node.call.name}(…) : (*, a: string, b: long)",
            node.span,
        )
    # A plan of a broken pipeline must not run.
    if len(scope.session.problems):
        scope.fail(f"the columns of {node.call.name} cannot be found until the earlier problems are solved", node.span)
    rows = scope.session.discover(plan)
    if len(rows) > MOST_COLUMNS:
        scope.fail(f"not supported: {node.call.name} that makes more than {MOST_COLUMNS} columns", node.span)
    return rows


def declared(node: syntax.Evaluate, found: Relation, scope: Scope) -> Relation:
    """Keep the columns that the query declares; all of them if it declares none, or ``*``."""
    if not node.schema or node.whole:
        return found
    columns = {c.name: c for c in found.columns}
    outputs: list[Output] = []
    for part in node.schema:
        column = columns.get(part.name)
        value: Scalar = types.converted(ref(column), part.type) if column else Const(part.type, None)
        outputs.append((scope.session.column(part.name, part.type), value))
    return projected(found, outputs)
