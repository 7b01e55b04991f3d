"""Bind the arguments of calls and operators: how many there are, conditions, constants."""

from __future__ import annotations

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Const, Scalar

__all__ = ["arity", "bind_predicate", "constant", "dynamic_argument"]


def arity(node: syntax.Call, scope: Scope, *counts: int) -> tuple[Scalar, ...]:
    """Bind a call's arguments; their number must be one of ``counts``."""
    if len(node.arguments) not in counts:
        scope.fail(
            f"expected {' or '.join(map(str, counts))} arguments in '{node.name}', got {len(node.arguments)}", node.span
        )
    return scope.scalars(node.arguments)


def bind_predicate(node: syntax.Expr, scope: Scope) -> Scalar:
    """Bind a condition: an expression that Kusto converts to bool."""
    return types.coerce(scope.scalar(node), "bool", scope=scope, span=node.span)


def constant(node: syntax.Expr, scope: Scope, kind: str) -> object:
    """Bind an expression that must be a constant, and return its value as type ``kind``; ``None`` is null."""
    value = types.coerce(scope.scalar(node), kind, scope=scope, span=node.span)
    if not isinstance(value, Const):
        scope.fail(f"expected a constant {kind}", node.span)
    return value.value


def dynamic_argument(value: Scalar, node: syntax.Call, scope: Scope, place: int = 0) -> Scalar:
    """Convert the bound argument at ``place`` (from 0) of a call to dynamic."""
    return types.coerce(value, "dynamic", scope=scope, span=node.arguments[place].span)
