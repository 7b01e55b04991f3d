"""The number of arguments of a call."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.dispatch import bind_each
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Scalar

__all__ = ["arity"]


def arity(node: syntax.Call, scope: Scope, *counts: int) -> tuple[Scalar, ...]:
    """Bind a call's arguments; there must be as many as one of ``counts``."""
    if len(node.arguments) not in counts:
        scope.fail(
            f"expected {' or '.join(map(str, counts))} arguments in '{node.name}', got {len(node.arguments)}", node.span
        )
    return bind_each(node.arguments, scope)
