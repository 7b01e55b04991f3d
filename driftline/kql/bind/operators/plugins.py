"""Bind evaluate's plugins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from driftline.kql import syntax
from driftline.kql.bind import scalars, types
from driftline.kql.bind.operators.common import Output, projected, ref
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.plan import (
    Call,
    Const,
)

__all__ = ["OPERATORS"]


def bind_evaluate(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    if node.call.name == "bag_unpack" and node.schema:
        return _bag_unpack(node, relation, scope)
    hint = "; say which columns: bag_unpack(bag) : (a: string, b: long)" if node.call.name == "bag_unpack" else ""
    scope.fail(f"not supported: evaluate {node.call.name}{hint}", node.span)


def _bag_unpack(node: syntax.Evaluate, relation: Relation, scope: Scope) -> Relation:
    if not node.call.arguments:
        scope.fail("expected bag_unpack(column)", node.span)
    bag = scalars.bind_scalar(node.call.arguments[0], scope)
    prefix = str(scalars.constant(node.call.arguments[1], scope, "string")) if len(node.call.arguments) > 1 else ""
    outputs: list[Output] = [(c, ref(c)) for c in relation.columns if ref(c) != bag]
    for part in node.schema:
        if any(c.name == part.name for c, _ in outputs):
            continue
        member = Call(
            "member", (types.converted(bag, "dynamic"), Const("string", part.name.removeprefix(prefix))), "dynamic"
        )
        outputs.append((scope.session.column(part.name, part.type), types.converted(member, part.type)))
    return projected(relation, outputs)


def bind_refused(node: Any, relation: Relation, scope: Scope) -> Relation:
    name = getattr(node, "op", "") or REFUSED[type(node)]
    scope.fail(f"not supported: the operator '{name}'", node.span)


REFUSED = {syntax.Scan: "scan"}


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Evaluate: bind_evaluate,
    syntax.Scan: bind_refused,
    syntax.Unsupported: bind_refused,
}
