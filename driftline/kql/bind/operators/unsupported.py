"""Operators that the parser knows and the binder refuses."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scope import Relation, Scope

__all__ = ["OPERATORS"]

REASONS = {
    "fork": ": a hunt has one result; run the branches as hunts of their own",
    "facet": ": a hunt has one result; summarize by each column instead",
    "consume": ": it gives no rows",
    "getschema": " with a kind",
    "assert-schema": "",
    "macro-expand": ": there is one group of tables here",
}


def bind_unsupported(node: syntax.Unsupported, relation: Relation, scope: Scope) -> Relation:
    """Note that the operator is not supported, with the reason and an alternative if there is one."""
    scope.fail(f"not supported: the operator '{node.op}'{REASONS.get(node.op, '')}", node.span)


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Unsupported: bind_unsupported}
