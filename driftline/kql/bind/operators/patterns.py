"""Bind operators that take text apart: parse, parse-where, parse-kv.

A pattern becomes one regular expression with a group for each column. In the simple and regex
kinds a text that does not fit a column's type leaves all columns empty; the relaxed kind leaves
only that column empty. https://learn.microsoft.com/kusto/query/parse-operator
"""

from __future__ import annotations

import re
from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind import scalars, types
from driftline.kql.bind.operators.common import Output, projected, ref
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.plan import Call, Const, Filter, Scalar
from driftline.kql.problems import suggestion

__all__ = ["OPERATORS"]

KINDS = ("simple", "regex", "relaxed")
SHAPES = {
    "long": r"\s*([-+]?\d+)",
    "int": r"\s*([-+]?\d+)",
    "real": r"\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)",
    "bool": "(true|false|True|False|0|1)",
}
CHECKED = frozenset(["datetime", "timespan", "guid"])  # types whose texts no shape tells
GROUP = re.compile(r"(\\.|\[(?:\\.|[^\]\\])*\])|\((?:\?P?<\w+>|(?!\?))", re.DOTALL)
FLAGS = frozenset("imsU")


def bind_parse(node: syntax.Parse, relation: Relation, scope: Scope) -> Relation:
    settings = {p.name: p for p in node.parameters}
    kind = settings["kind"].value if "kind" in settings else "simple"
    if kind not in KINDS:
        scope.fail(f"unknown kind of {node.op} '{kind}'{suggestion(kind, KINDS)}", settings["kind"].span)
    flags = settings["flags"].value if "flags" in settings else ""
    if set(flags) - FLAGS:
        scope.fail("not supported: flags other than i, m, s and U", settings["flags"].span)
    source = types.coerce(scalars.bind_scalar(node.value, scope), "text", scope=scope, span=node.value.span)
    pattern = Const("string", _regex(node.pattern, kind, flags))
    for part in node.pattern:
        if kind == "regex" and isinstance(part, syntax.Literal):
            scalars.check_regex(Const("string", part.value), scope, part.span)
    columns = [part for part in node.pattern if isinstance(part, syntax.TypedName)]
    texts = [Call("extract_plain", (pattern, Const("long", n), source), "string") for n in range(1, len(columns) + 1)]
    values = [types.converted(text, part.type) for text, part in zip(texts, columns, strict=True)]
    fits = [Call("isnotnull", (v,), "bool") for v in values if v.type in CHECKED and kind != "relaxed"]
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    for part, value in zip(columns, values, strict=True):
        outputs[part.name] = (scope.session.column(part.name, part.type), _if_all(fits, value))
    if node.op == "parse-where":
        matched = Call("and", (Call("matches regex", (source, pattern), "bool"), *fits), "bool")
        relation = relation.over(Filter(relation.plan, matched))
    return projected(relation, outputs.values())


def _if_all(fits: list[Call], value: Scalar) -> Scalar:
    if not fits:
        return value
    nothing = Const(value.type, "" if value.type == "string" else None)
    return Call("choose", (Call("and", tuple(fits), "bool"), value, nothing), value.type)


def _regex(parts: tuple[syntax.Expr, ...], kind: str, flags: str) -> str:
    made_of = [f"(?s{flags.replace('s', '').replace('U', '')})^"]
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if isinstance(part, syntax.Star):
            made_of.append(".*?" if not last else ".*")
        elif isinstance(part, syntax.Literal):
            made_of.append(f"(?:{_ungrouped(part.value)})" if kind == "regex" else scalars.quote_regex(part.value))
        elif isinstance(part, syntax.TypedName):
            shape = SHAPES.get(part.type, "(.*?)") if kind != "relaxed" else "(.*?)"
            made_of.append("(.*)" if last and shape == "(.*?)" else shape)
    return "".join(made_of) + "$"


# The groups of the pattern's own regular expressions are none of the columns'.
def _ungrouped(pattern: str) -> str:
    return GROUP.sub(lambda match: match[1] or "(?:", pattern)


def bind_parse_kv(node: syntax.ParseKv, relation: Relation, scope: Scope) -> Relation:
    said = {s.names[0]: s.value for s in node.settings if s.names}
    if said.keys() - {"pair_delimiter", "kv_delimiter", "quote"}:
        scope.fail("not supported: parse-kv with other settings than pair_delimiter, kv_delimiter and quote", node.span)
    settings = {name: str(scalars.constant(value, scope, "string")) for name, value in said.items()}
    source = types.coerce(scalars.bind_scalar(node.value, scope), "text", scope=scope, span=node.value.span)
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    for part in node.columns:
        pattern = Const("string", _pair(part.name, settings))
        found = [Call("extract_plain", (pattern, Const("long", group), source), "string") for group in (1, 2)]
        text = Call("coalesce_text", tuple(found), "string")
        outputs[part.name] = (scope.session.column(part.name, part.type), types.converted(text, part.type))
    return projected(relation, outputs.values())


def _pair(key: str, settings: dict[str, str]) -> str:
    """Match a key with its value: quoted in the first group, plain in the second."""
    pair = scalars.quote_regex(settings.get("pair_delimiter", " "))
    between = scalars.quote_regex(settings.get("kv_delimiter", "="))
    quotes = settings.get("quote", '"')
    opening, closing = scalars.quote_regex(quotes[:1]), scalars.quote_regex(quotes[-1:])
    quoted = f"{opening}([^{closing}]*){closing}|" if quotes else "([^\\s\\S])|"
    return f"(?s)(?:^|{pair})\\s*{scalars.quote_regex(key)}{between}(?:{quoted}(.*?))(?:{pair}|$)"


OPERATORS: dict[type, Callable[..., Relation]] = {
    syntax.Parse: bind_parse,
    syntax.ParseKv: bind_parse_kv,
}
