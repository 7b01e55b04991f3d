"""Bind operators that take text apart: parse, parse-where, parse-kv."""

from __future__ import annotations

from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind import scalars, types
from driftline.kql.bind.operators.common import Output, projected, ref
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.plan import (
    Call,
    Const,
    Filter,
)

__all__ = ["OPERATORS"]


SHAPES = {
    "string": "(.*?)",
    "long": r"\s*([-+]?\d+)",
    "int": r"\s*([-+]?\d+)",
    "real": r"\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)",
    "bool": "(true|false|True|False|0|1)",
}


def bind_parse(node: syntax.Parse, relation: Relation, scope: Scope) -> Relation:
    kind = next((p.value for p in node.parameters if p.name == "kind"), "simple")
    source = types.coerce(scalars.bind_scalar(node.value, scope), "text", scope=scope, span=node.value.span)
    columns = [part for part in node.pattern if isinstance(part, syntax.TypedName)]
    pattern = Const("string", _regex(node.pattern, kind))
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    for number, part in enumerate(columns, 1):
        text = Call("extract_plain", (pattern, Const("long", number), source), "string")
        value = types.converted(text, part.type)
        outputs[part.name] = (scope.session.column(part.name, part.type), value)
    if node.op == "parse-where":
        matched = Call("matches regex", (source, pattern), "bool")
        relation = relation.over(Filter(relation.plan, matched))
    return projected(relation, outputs.values())


def _regex(parts: tuple[syntax.Expr, ...], kind: str) -> str:
    made_of = ["(?s)^"]
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if isinstance(part, syntax.Star):
            made_of.append(".*?" if not last else ".*")
        elif isinstance(part, syntax.Literal):
            made_of.append(f"(?:{part.value})" if kind == "regex" else scalars.quote_regex(part.value))
        elif isinstance(part, syntax.TypedName):
            shape = SHAPES.get(part.type, "(.*?)")
            made_of.append("(.*)" if last and shape == "(.*?)" else shape)
    return "".join(made_of) + "$"


def bind_parse_kv(node: syntax.ParseKv, relation: Relation, scope: Scope) -> Relation:
    settings = {s.names[0]: str(scalars.constant(s.value, scope, "string")) for s in node.settings if s.names}
    if settings.keys() - {"pair_delimiter", "kv_delimiter", "quote"}:
        scope.fail("not supported: parse-kv by a regular expression or with escapes", node.span)
    pair = scalars.quote_regex(settings.get("pair_delimiter", " "))
    inner = scalars.quote_regex(settings.get("kv_delimiter", "="))
    quote = scalars.quote_regex(settings.get("quote", '"'))[:2]
    source = types.coerce(scalars.bind_scalar(node.value, scope), "text", scope=scope, span=node.value.span)
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    for part in node.columns:
        pattern = f"(?s)(?:^|{pair})\\s*{scalars.quote_regex(part.name)}{inner}{quote}?(.*?){quote}?(?:{pair}|$)"
        text = Call("extract_plain", (Const("string", pattern), Const("long", 1), source), "string")
        outputs[part.name] = (scope.session.column(part.name, part.type), types.converted(text, part.type))
    return projected(relation, outputs.values())


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Parse: bind_parse,
    syntax.ParseKv: bind_parse_kv,
}
