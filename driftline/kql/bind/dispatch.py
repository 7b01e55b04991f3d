"""Ways into the binder: by kind of node, and by name where a function needs more than a template."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind import types
from driftline.kql.bind.scope import Closure, Relation, Scope
from driftline.kql.parse.cursor import Stuck
from driftline.kql.plan.nodes import Const, Scalar

__all__ = [
    "AGGREGATED",
    "BINDERS",
    "ENTER",
    "SPECIAL",
    "TABULAR",
    "bind_each",
    "bind_predicate",
    "bind_scalar",
    "constant",
]

BINDERS: dict[type, Callable[..., Scalar]] = {}
"""How to bind each kind of node; filled by ``driftline.kql.bind.scalars``."""
SPECIAL: dict[str, Callable[[syntax.Call, Scope], Scalar]] = {}
"""Functions that need more than a template; filled by ``driftline.kql.bind.calls``."""
TABULAR: dict[str, Callable[[syntax.Expr, Scope], Relation]] = {}
"""How to bind a table, under the key ``bind``; filled by ``driftline.kql.bind.tables``."""
AGGREGATED: dict[str, Callable[[str, syntax.Call, Scope], Scalar]] = {}
"""How to bind an aggregate, under the key ``bind``; filled by ``driftline.kql.bind.calls``."""
ENTER: dict[str, Callable[[syntax.Call, Closure, Scope], tuple[Scope, syntax.Expr]]] = {}
"""How to enter a user's function, under ``call``; filled by ``driftline.kql.bind.tables``."""


def bind_scalar(node: syntax.Expr, scope: Scope) -> Scalar:
    """Bind an expression; problems are noted, and ``Stuck`` is raised if there is no value."""
    scope.session.count(node.span)
    bind = BINDERS.get(type(node))
    if bind is None:
        got = "'*'; count() takes nothing" if isinstance(node, syntax.Star) else "a table"
        scope.fail(f"expected a value here, got {got}", node.span)
    return bind(node, scope)


def bind_each(nodes: tuple[syntax.Expr, ...], scope: Scope) -> tuple[Scalar, ...]:
    """Bind several expressions, so that all their problems are noted."""
    found: list[Scalar] = []
    for node in nodes:
        try:
            found.append(bind_scalar(node, scope))
        except Stuck:
            continue
    if len(found) < len(nodes):
        raise Stuck
    return tuple(found)


def bind_predicate(node: syntax.Expr, scope: Scope) -> Scalar:
    """Bind a condition."""
    return types.coerce(bind_scalar(node, scope), "bool", scope=scope, span=node.span)


def constant(node: syntax.Expr, scope: Scope, kind: str) -> object:
    """Give the value of what must be a constant of a type."""
    value = types.coerce(bind_scalar(node, scope), kind, scope=scope, span=node.span)
    if not isinstance(value, Const):
        scope.fail(f"expected a constant {kind}", node.span)
    return value.value
