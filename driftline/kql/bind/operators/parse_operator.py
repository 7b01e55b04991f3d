"""Bind the operators parse and parse-where: columns out of a text, by a pattern.

A pattern becomes one regular expression with a group for each column. In the kinds simple and regex, a text that
does not fit a column's type leaves all columns empty; in the kind relaxed, it leaves only that column empty.
https://learn.microsoft.com/kusto/query/parse-operator
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.regexes import translated
from driftline.kql.bind.scalars.terms import quote_regex
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.outputs import Output, projected, ref
from driftline.kql.plan.nodes import Call, Const, Filter, Scalar
from driftline.kql.text import regex_groups
from driftline.kql.text.problems import suggestion

__all__ = ["OPERATORS"]

KINDS = ("simple", "regex", "relaxed")
SHAPES = {
    "long": r"\s*([-+]?\d+)",
    "int": r"\s*([-+]?\d+)",
    "real": r"\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)",
    "bool": "(true|false|True|False|0|1)",
}
# Lazy but in the regex kind, where U makes them so, and what is lazy greedy. The reference's page calls
# columns of that kind lazy as well; its printed output, and what it says of U, do not.
ANY, ANY_LAZY = "(.*)", "(.*?)"
CHECKED = frozenset(["datetime", "timespan", "guid"])  # types whose texts no shape tells
GROUP = re.compile(r"(\\.|\[(?:\\.|[^\]\\])*\])|\((?:\?P?<\w+>|(?!\?))", re.DOTALL)
FLAGS = frozenset("imsU")


def bind_parse(node: syntax.Parse, relation: Relation, scope: Scope) -> Relation:
    """Bind parse, or parse-where, which drops rows that do not match."""
    settings = {p.name: p for p in node.parameters}
    kind = settings["kind"].value if "kind" in settings else "simple"
    if kind not in KINDS:
        scope.fail(f"unknown kind of {node.op} '{kind}'{suggestion(kind, KINDS)}", settings["kind"].span)
    flags = settings["flags"].value if "flags" in settings else ""
    if set(flags) - FLAGS:
        scope.fail("not supported: flags other than i, m, s and U", settings["flags"].span)
    source = types.coerce(scope.scalar(node.value), "text", scope=scope, span=node.value.span)
    # Only constants of the kind regex are regular expressions; the other kinds quote their constants.
    parts = [_translated(part, scope) for part in node.pattern] if kind == "regex" else node.pattern
    pattern = Const("string", _regex(tuple(parts), kind, flags))
    columns = [part for part in node.pattern if isinstance(part, syntax.TypedName)]
    texts = [_taken(pattern.value, number, source) for number in range(1, len(columns) + 1)]
    values = [types.converted(text, part.type) for text, part in zip(texts, columns, strict=True)]
    fits = [Call("isnotnull", (v,), "bool") for v in values if v.type in CHECKED and kind != "relaxed"]
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    for part, value in zip(columns, values, strict=True):
        outputs[part.name] = (scope.session.column(part.name, part.type), _if_all(fits, value))
    # parse-where keeps rows that match and whose checked columns convert.
    if node.op == "parse-where":
        matched = Call("and", (Call("matches regex", (source, pattern), "bool"), *fits), "bool")
        relation = relation.over(Filter(relation.plan, matched))
    return projected(relation, outputs.values())


MOST_NUMBERED = 9  # groups that DuckDB can number


def _taken(pattern: str, group: int, source: Scalar) -> Call:
    """Return the text of a group of the match."""
    if group > MOST_NUMBERED:
        pattern, group = regex_groups.only(pattern, group), 1
    return Call("extract_plain", (Const("string", pattern), Const("long", group), source), "string")


def _translated(part: syntax.Expr, scope: Scope) -> syntax.Expr:
    """Translate a constant of the kind regex to RE2; the pattern as a whole decides what a dot matches."""
    if not isinstance(part, syntax.Literal):
        return part
    return dataclasses.replace(part, value=translated(part.value, scope, part.span).removeprefix("(?-s)"))


def _if_all(fits: list[Call], value: Scalar) -> Scalar:
    """Return the value if all checked columns fit, otherwise null or the empty string."""
    if not fits:
        return value
    nothing = Const(value.type, "" if value.type == "string" else None)
    return Call("choose", (Call("and", tuple(fits), "bool"), value, nothing), value.type)


def _regex(parts: tuple[syntax.Expr, ...], kind: str, flags: str) -> str:
    """Return the regular expression of a pattern."""
    turned = "U" in flags
    any_text = ANY if kind == "regex" and not turned else ANY_LAZY
    lines = "" if kind == "regex" and "s" not in flags else "s"  # whether a point is a new line, too
    made_of = [f"(?{lines}{flags.replace('s', '').replace('U', '')}{'' if lines else '-s'})^"]
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if isinstance(part, syntax.Star):
            # Everything between constants is lazy, and the last part takes the rest.
            made_of.append(".*" if last or turned else ".*?")
        elif isinstance(part, syntax.Literal):
            regex = f"(?{'U' if turned else ''}:{_ungrouped(part.value)})"
            made_of.append(regex if kind == "regex" else quote_regex(part.value))
        elif isinstance(part, syntax.TypedName):
            shape = SHAPES.get(part.type, any_text)
            if kind == "relaxed" and shape != any_text:
                shape = f"({shape.replace('(', '(?:', 1)}|.*?)"  # what fits, or anything
            made_of.append(ANY if last and shape == ANY_LAZY else shape)
    return "".join(made_of) + "$"


def _ungrouped(pattern: str) -> str:
    """Turn the groups of the pattern's own regular expressions into non-capturing ones, so that columns count alone."""
    return GROUP.sub(lambda match: match[1] or "(?:", pattern)


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.Parse: bind_parse}
