"""Functions that search for texts, terms and regular expressions in a text.

https://learn.microsoft.com/kusto/query/scalar-functions#string-functions
"""

from __future__ import annotations

import re

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import arity, constant
from driftline.kql.bind.scalars.arithmetic import arithmetic, compared
from driftline.kql.bind.scalars.terms import term
from driftline.kql.bind.scalars.type_literals import type_literal
from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Call, Const, Scalar
from driftline.kql.text import constants, regex_groups

__all__ = ["SPECIAL"]

# Kusto's limit: extract_all takes 1 to 16 capture groups.
MOST_GROUPS = 16
LAST_OCCURRENCE = 1024


def _pattern(value: Scalar, node: syntax.Expr, scope: Scope) -> Scalar:
    """Convert an argument to a regular expression of RE2."""
    return types.coerce(value, "regex", scope=scope, span=node.span)


def _constant_pattern(value: Scalar, node: syntax.Expr, scope: Scope) -> str:
    """Return an argument that must be a constant regular expression."""
    pattern = _pattern(value, node, scope)
    if not isinstance(pattern, Const):
        scope.fail("expected a constant regular expression", node.span)
    return str(pattern.value)


def _extract(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``extract(regex, group, text, typeof(…))``: a group of the first match.

    The pattern is reduced to the wanted group, because DuckDB knows no group beyond the ninth.
    """
    kind = type_literal(node.arguments[3], scope) if len(node.arguments) == 4 else "string"
    pattern, _, source, *_ = arity(node, scope, 3, 4)
    pattern = _pattern(pattern, node.arguments[0], scope)
    group = constant(node.arguments[1], scope, "long")
    if not isinstance(group, int) or not 0 <= group <= MOST_GROUPS:
        scope.fail(f"expected a constant group from 0 to {MOST_GROUPS}", node.arguments[1].span)
    if isinstance(pattern, Const) and group:
        # A group that the pattern lacks gives an empty text, not an error of the engine.
        known = group <= len(regex_groups.groups(pattern.value))
        pattern, group = Const("string", regex_groups.only(pattern.value, group)), int(known)
        if not known:
            return types.converted(Const("string", ""), kind)
    found = Call("extract_plain", (pattern, Const("long", group), types.converted(source, "string")), "string")
    return Call("todynamic", (found,), kind) if kind == "dynamic" else types.converted(found, kind)


def _extract_all(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``extract_all(regex, groups, text)``: of every match, the text of one group or an array of several.

    https://learn.microsoft.com/kusto/query/extract-all-function
    """
    values = arity(node, scope, 2, 3)
    pattern = _constant_pattern(values[0], node.arguments[0], scope)
    names = regex_groups.groups(pattern)
    if not 1 <= len(names) <= MOST_GROUPS:
        scope.fail(
            f"expected a regular expression of 1 to {MOST_GROUPS} groups, got {len(names)}", node.arguments[0].span
        )
    chosen = _chosen(names, values, node, scope)
    source = types.coerce(values[-1], "text", scope=scope, span=node.arguments[-1].span)
    if len(chosen) == 1:
        return Call("extract_all_one", (Const("string", regex_groups.only(pattern, chosen[0])), source), "dynamic")
    places = tuple(Const("long", place) for place in chosen)
    return Call("extract_all_groups", (Const("string", pattern), source, *places), "dynamic")


def _chosen(names: list[str], values: tuple[Scalar, ...], node: syntax.Call, scope: Scope) -> list[int]:
    """Return the numbers of the groups that a constant array names or numbers; all without the array."""
    if len(values) == 2:
        return list(range(1, len(names) + 1))
    wanted = values[1]
    if not isinstance(wanted, Const) or wanted.type != "dynamic" or wanted.value is None:
        scope.fail("expected a constant array of groups", node.arguments[1].span)
    known: dict[object, int] = {n: n for n in range(1, len(names) + 1)}
    known |= {name: place for place, name in enumerate(names, 1) if name}
    items = constants.loads_array(wanted.value)
    for item in items:
        if isinstance(item, (list, dict)) or item not in known:
            scope.fail(f"the regular expression has no group {item!r}", node.arguments[1].span)
    return [known[item] for item in items]


def _indexof(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``indexof`` or ``indexof_regex``: ``(text, search, start, length, occurrence)``.

    The common calls, without start or with a constant start, use the engine's own search.
    https://learn.microsoft.com/kusto/query/indexof-function
    """
    values = arity(node, scope, 2, 3, 4, 5)
    source, sought = (types.converted(value, "string") for value in values[:2])
    if node.name == "indexof_regex":
        sought = _pattern(sought, node.arguments[1], scope)
    start, length, _ = _bounds(values[2:], node, scope)
    occurrence = constant(node.arguments[4], scope, "long") if len(values) == 5 else 1
    if not isinstance(occurrence, int) or occurrence > LAST_OCCURRENCE:
        scope.fail(f"expected a constant occurrence of {LAST_OCCURRENCE} at most", node.arguments[4].span)
    if occurrence < 1:
        # As Kusto answers: -1 for the occurrence 0, null for a negative one.
        return Const("long", None if occurrence else -1)
    if occurrence == 1 and length == Const("long", -1) and start == Const("long", 0):
        return Call(node.name, (source, sought), "long")
    if occurrence == 1 and length == Const("long", -1) and isinstance(start, Const) and (start.value or -1) > 0:
        return _first_from(node, source, sought, start, scope=scope)
    return Call(f"{node.name}_nth", (source, sought, start, length, Const("long", occurrence)), "long")


def _bounds(given: tuple[Scalar, ...], node: syntax.Call, scope: Scope) -> list[Scalar]:
    """Return start, length and occurrence as longs, with defaults 0, -1 (to the end) and 1."""
    spans = [argument.span for argument in node.arguments[2:]]
    bounds = [types.coerce(v, "long", scope=scope, span=span) for v, span in zip(given, spans, strict=True)]
    return bounds + [Const("long", default) for default in (0, -1, 1)[len(bounds) :]]


def _first_from(node: syntax.Call, source: Scalar, sought: Scalar, start: Const, *, scope: Scope) -> Scalar:
    """Find the first occurrence from a constant start on, in the rest of the text."""
    piece = Call("substring", (source, start, Const("long", None)), "string")
    found = Call(node.name, (piece, sought), "long")
    moved = arithmetic("+", found, start, scope=scope, span=node.span)
    missing = compared("<", found, Const("long", 0), scope=scope, span=node.span)
    return Call("choose", (missing, Const("long", -1), moved), "long")


def _has_any_index(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``has_any_index(text, terms)``: the place of the first term of the list that the text has, otherwise -1."""
    text, words = arity(node, scope, 2)
    text = types.coerce(text, "string", scope=scope, span=node.arguments[0].span)
    words = types.coerce(words, "dynamic", scope=scope, span=node.arguments[1].span)
    if not isinstance(words, Const):
        return Call("has_any_index_list", (text, words), "long")
    found: Scalar = Const("long", -1)
    items = constants.loads_array(words.value) if words.value is not None else []
    for place, item in reversed(list(enumerate(items))):
        needle = Const("string", item if isinstance(item, str) else constants.dumps(item))
        found = Call("choose", (term("has", text, needle), Const("long", place), found), "long")
    return found


KINDS = ("normal", "regex")


def _countof(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``countof(text, search, kind)``; plain occurrences may overlap, those of a regular expression do not.

    https://learn.microsoft.com/kusto/query/countof-function
    """
    values = arity(node, scope, 2, 3)
    kind = constant(node.arguments[2], scope, "string") if len(values) == 3 else "normal"
    if kind not in KINDS:
        scope.fail("expected the kind 'normal' or 'regex'", node.arguments[2].span)
    text, sought = (
        types.coerce(v, "string", scope=scope, span=n.span) for v, n in zip(values[:2], node.arguments, strict=False)
    )
    if kind == "regex":
        return Call("countof_regex", (text, _pattern(sought, node.arguments[1], scope)), "long")
    apart = isinstance(sought, Const) and not _overlaps(sought.value)
    return Call("countof_normal" if apart else "countof_overlapping", (text, sought), "long")


def _overlaps(word: str) -> bool:
    """Whether two occurrences of a text can overlap: some proper suffix of it is a prefix as well."""
    return not word or any(word.startswith(word[place:]) for place in range(1, len(word)))


def _replace_regex(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind ``replace_regex(text, regex, rewrite)``."""
    source, pattern, rewrite = arity(node, scope, 3)
    return _replaced(source, pattern, rewrite, nodes=node.arguments, scope=scope)


def _replace(node: syntax.Call, scope: Scope) -> Scalar:
    """Bind the older ``replace(regex, rewrite, text)``."""
    pattern, rewrite, source = arity(node, scope, 3)
    return _replaced(source, pattern, rewrite, nodes=(node.arguments[2], *node.arguments[:2]), scope=scope)


def _replaced(
    source: Scalar, pattern: Scalar, rewrite: Scalar, *, nodes: tuple[syntax.Expr, ...], scope: Scope
) -> Scalar:
    """Replace all matches; ``nodes`` are the expressions of text, regex and rewrite, for messages."""
    source = types.coerce(source, "string", scope=scope, span=nodes[0].span)
    pattern = _pattern(pattern, nodes[1], scope)
    rewrite = types.coerce(rewrite, "string", scope=scope, span=nodes[2].span)
    if isinstance(pattern, Const) and isinstance(rewrite, Const):
        rewrite = _rewrite(rewrite.value, len(regex_groups.groups(pattern.value)), nodes[2], scope)
    return Call("replace_regex", (source, pattern, rewrite), "string")


REFERENCE = re.compile(r"\\([0-9]|.?)", re.DOTALL)


def _rewrite(text: str, count: int, node: syntax.Expr, scope: Scope) -> Const:
    """Check the references of a constant rewrite; a reference to a group that the pattern lacks is empty."""

    def known(found: re.Match[str]) -> str:
        if not found[1].isdigit() and found[1] != "\\":
            scope.fail(r"expected '\0' to '\9' or '\\' behind each backslash of a replacement", node.span)
        return "" if found[1].isdigit() and int(found[1]) > count else found[0]

    return Const("string", REFERENCE.sub(known, text))


SPECIAL = {
    "extract": _extract,
    "extract_all": _extract_all,
    "indexof": _indexof,
    "indexof_regex": _indexof,
    "has_any_index": _has_any_index,
    "countof": _countof,
    "replace": _replace,
    "replace_regex": _replace_regex,
}
