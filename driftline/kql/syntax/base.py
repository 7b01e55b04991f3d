"""The bases of all nodes of the syntax tree, and a walk over the parts of an expression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

from driftline.kql.text.problems import Span

__all__ = ["NOWHERE", "Expr", "Node", "Operator", "Statement", "mapped"]

NOWHERE = Span(0, 0)
"""Span of a node that the compiler makes rather than reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The base of all nodes."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)
    """Position in the query text; takes no part in comparisons."""


@dataclass(frozen=True, slots=True)
class Expr(Node):
    """An expression: scalar or tabular. Its type is known only to the binder, because a name may be either."""


@dataclass(frozen=True, slots=True)
class Operator(Node):
    """A tabular operator: one step of a pipeline."""


@dataclass(frozen=True, slots=True)
class Statement(Node):
    """A statement that stands before the expression of a query or of a function."""


def mapped(node: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Return a copy of a scalar expression in which ``change`` has replaced each direct part."""
    changed = {}
    for each in fields(node):
        value = getattr(node, each.name)
        if isinstance(value, Node):
            changed[each.name] = change(value)  # type: ignore[arg-type]  # operators stand in no expression
        elif isinstance(value, tuple) and value and all(isinstance(part, Node) for part in value):
            changed[each.name] = tuple(map(change, value))  # type: ignore[assignment]  # as above
    return replace(node, **changed) if changed else node  # type: ignore[arg-type]  # fields of this node
