"""``reduce``: groups of similar texts, which a library function makes of all distinct texts with their counts."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind import scalars, types
from driftline.kql.bind.operators.common import grouped, projected, ref
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.plan import Call, Column, Const, Expand, Scalar

__all__ = ["OPERATORS"]

MOST_TEXTS = 20_000  # those met most; ``driftline.store.reduction`` reads no more
THRESHOLD = 0.1
RESULT = (("Pattern", "string"), ("Count", "long"), ("Representative", "string"))


def bind_reduce(node: syntax.Reduce, relation: Relation, scope: Scope) -> Relation:
    if node.kind:
        scope.fail(f"not supported: reduce kind={node.kind}; join its groups yourself", node.span)
    texts, listed = _listed(types.converted(scalars.bind_scalar(node.value, scope), "string"), relation, scope)
    found = Call("reduced_texts", (ref(listed), *_settings(node, scope)), "dynamic")
    groups = Call("expand_list", (found,), "dynamic")
    row = scope.session.column("group", "dynamic")
    cells = [Call("element", (ref(row), Const("long", place)), "dynamic") for place in range(len(RESULT))]
    outputs = [
        (scope.session.column(name, kind), types.converted(cell, kind))
        for (name, kind), cell in zip(RESULT, cells, strict=True)
    ]
    return projected(Relation(Expand(texts.plan, (groups,), (row,), None)), outputs)


def _settings(node: syntax.Reduce, scope: Scope) -> tuple[Const, Const]:
    threshold = scalars.constant(node.threshold, scope, "real") if node.threshold else THRESHOLD
    if not isinstance(threshold, float) or not 0 < threshold < 1:
        scope.fail("expected a threshold between 0 and 1", node.span)
    separators = scalars.constant(node.characters, scope, "string") if node.characters else ""
    return Const("real", threshold), Const("string", separators)


# One row: an array of all distinct texts, each with its count, those met most first.
def _listed(text: Scalar, relation: Relation, scope: Scope) -> tuple[Relation, Column]:
    name, count = scope.session.column("Text", "string"), scope.session.column("Count", "long")
    counted = grouped(relation, [(name, text)], [(count, Call("count", (), "long"))])
    pair = Call("pack_array", tuple(types.converted(ref(each), "dynamic") for each in (name, count)), "dynamic")
    falling = Call("ordered_down", (ref(count),), "long")
    listed = scope.session.column("texts", "dynamic")
    all_of = Call("list_json_ordered", (pair, Const("long", MOST_TEXTS), falling), "dynamic")
    return grouped(counted, [], [(listed, all_of)]), listed


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Reduce: bind_reduce}
