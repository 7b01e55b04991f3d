"""Bind parse-kv: keys and values out of a text, each key by a regular expression of its own.

https://learn.microsoft.com/kusto/query/parse-kv-operator
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from driftline.kql import syntax
from driftline.kql.bind.scalars import types
from driftline.kql.bind.scalars.arguments import constant
from driftline.kql.bind.scalars.regexes import translated
from driftline.kql.bind.scalars.terms import quote_regex as quote
from driftline.kql.bind.scope import Relation, Scope
from driftline.kql.bind.tables.outputs import Output, projected, ref
from driftline.kql.plan.nodes import Call, Const, Scalar
from driftline.kql.text.problems import suggestion

__all__ = ["OPERATORS"]

SETTINGS = {
    "pair_delimiter": "string",
    "kv_delimiter": "string",
    "quote": "string",
    "escape": "string",
    "greedy": "bool",
    "regex": "string",
}
LONGEST = {"quote": 2, "escape": 1}  # characters
REPEATED = frozenset(LONGEST)
# The first capturing group of a regular expression: (text before it, text of the group).
FIRST_GROUP = re.compile(r"((?:\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?|[^\\\[(])*)\((?!\?)((?:\\.|[^\\()])*)\)", re.DOTALL)
# Letters and digits of Unicode, within a set.
WORD = r"\pL\pN"


@dataclass(frozen=True, slots=True)
class KeyValueFormat:
    """The notation of keys and values: delimiters, pairs of quotes, escape characters.

    Without delimiters (empty texts), every run of other than letters and digits is one.
    """

    pair: str
    between: str
    quotes: Sequence[str]
    escapes: Sequence[str]

    def quoted(self, *, captured: bool = False) -> list[str]:
        """Return the pattern of a quoted text for each pair of quotes, with a group if ``captured``."""
        return [self._quoted(quotes, "(" if captured else "(?:") for quotes in self.quotes]

    def _quoted(self, quotes: str, group: str) -> str:
        """Return the pattern of a text in one pair of quotes; escaped characters do not end it."""
        opening, closing = quotes[0], quotes[-1]
        escaped = "".join(f"{quote(escape)}.|" for escape in self.escapes)
        plain = _none_of(closing + "".join(self.escapes))
        return f"{quote(opening)}{group}(?:{escaped}{plain})*){quote(closing)}"

    def key(self, name: str) -> str:
        """Return the pattern of a key, which may be quoted."""
        ways = [f"{quote(each[0])}{quote(name)}{quote(each[-1])}" for each in self.quotes]
        return f"(?:{'|'.join([*ways, quote(name)])})"


def _none_of(characters: str) -> str:
    """Return a set of all but the characters."""
    return f"[^{''.join(map(quote, characters))}]"


def bind_parse_kv(node: syntax.ParseKv, relation: Relation, scope: Scope) -> Relation:
    """Bind parse-kv; an existing column of a key's name is replaced."""
    said = _settings(node, scope)
    source = types.coerce(scope.scalar(node.value), "text", scope=scope, span=node.value.span)
    pattern, groups = _patterns(node, said, scope)
    outputs: dict[str, Output] = {c.name: (c, ref(c)) for c in relation.columns}
    for part in node.columns:
        found = [_extracted(pattern(part.name), group, source) for group in range(1, groups + 1)]
        # A value matches in one of the groups; the others are empty.
        quoted = [_unescaped(text, said["escape"]) for text in found[:-1]]
        text = Call("coalesce_text", (*quoted, found[-1]), "string") if quoted else found[-1]
        outputs[part.name] = (scope.session.column(part.name, part.type), types.converted(text, part.type))
    return projected(relation, outputs.values())


def _extracted(pattern: str, group: int, source: Scalar) -> Scalar:
    """Return the text of a group of the first match."""
    return Call("extract_plain", (Const("string", pattern), Const("long", group), source), "string")


def _unescaped(text: Scalar, escapes: Sequence[str]) -> Scalar:
    """Remove the escape characters of a quoted value."""
    if not escapes:
        return text
    pattern = f"(?s)[{''.join(map(quote, escapes))}](.)"
    return Call("replace_regex", (text, Const("string", pattern), Const("string", r"\1")), "string")


def _settings(node: syntax.ParseKv, scope: Scope) -> dict[str, list[str]]:
    """Return the settings by name: their values as texts; note a problem for unknown or repeated ones."""
    said: dict[str, list[str]] = {name: [] for name in SETTINGS}
    for setting in node.settings:
        name = setting.names[0] if setting.names else ""
        if name not in SETTINGS:
            scope.fail(f"unknown setting of parse-kv '{name}'{suggestion(name, SETTINGS)}", setting.span)
        if said[name] and name not in REPEATED:
            scope.fail(f"the setting '{name}' of parse-kv is given twice", setting.span)
        value = constant(setting.value, scope, SETTINGS[name])
        # Quotes are one character, or an opening and a closing one; an escape is one character.
        if (not value and SETTINGS[name] == "string") or len(str(value)) > LONGEST.get(name, 1000):
            scope.fail(f"expected {_expected(name)} as the setting '{name}' of parse-kv", setting.span)
        said[name].append(str(value))
    _check_together(said, node, scope)
    return said


def _expected(name: str) -> str:
    """Describe the value that a setting takes."""
    return {1: "one character", 2: "one or two characters"}.get(LONGEST.get(name, 0), "a text")


def _check_together(said: Mapping[str, list[str]], node: syntax.ParseKv, scope: Scope) -> None:
    """Note a problem for settings that exclude or need each other."""
    given = {name for name, values in said.items() if values}
    if "regex" in given and len(given) > 1:
        scope.fail("parse-kv with a regex takes no other settings", node.span)
    if ("pair_delimiter" in given) != ("kv_delimiter" in given):
        scope.fail("expected both pair_delimiter and kv_delimiter in parse-kv, or neither", node.span)
    if "greedy" in given and "pair_delimiter" not in given:
        scope.fail("greedy in parse-kv needs pair_delimiter and kv_delimiter", node.span)


def _patterns(node: syntax.ParseKv, said: Mapping[str, list[str]], scope: Scope) -> tuple[Callable[[str], str], int]:
    """Return the function from a key to its pattern, and the number of groups: one for each quote, and one unquoted."""
    # The four modes of the Kusto page: regex, no delimiter, greedy, delimiters.
    if said["regex"]:
        return _by_regex(said["regex"][0], node, scope), 1
    form = KeyValueFormat("".join(said["pair_delimiter"]), "".join(said["kv_delimiter"]), said["quote"], said["escape"])
    groups = len(form.quotes) + 1
    if not form.pair:
        return lambda key: _by_words(key, form), groups
    if said["greedy"] == ["True"]:
        keys = [part.name for part in node.columns]
        return lambda key: _up_to_next(key, keys, form), groups
    return lambda key: _by_delimiters(key, form), groups


def _by_regex(pattern: str, node: syntax.ParseKv, scope: Scope) -> Callable[[str], str]:
    """Return the pattern function of the mode regex: the key's group is replaced by the key itself."""
    span = node.settings[0].value.span
    pattern = translated(pattern, scope, span)
    found = FIRST_GROUP.match(pattern)
    rest = pattern[found.end() :] if found else ""
    # Exactly two groups: a third would make the place of the value unclear.
    if found is None or not FIRST_GROUP.match(rest) or FIRST_GROUP.match(rest[FIRST_GROUP.match(rest).end() :]):  # type: ignore[union-attr] # it matches
        scope.fail("expected a regex with two groups, of the key and of the value", span)
    return lambda key: f"{found[1]}(?:{quote(key)}){rest}"


def _by_words(key: str, form: KeyValueFormat) -> str:
    """Return the pattern of a key without delimiters: key and value are words."""
    plain = f"([{WORD}]+)"
    openings = "".join(quote(each[0]) for each in form.quotes)
    between = f"[^{WORD}{openings}]+"
    # Quoted forms first: alternatives are tried in order.
    values = "|".join([*form.quoted(captured=True), plain])
    return f"(?s)(?:^|[^{WORD}]){form.key(key)}{between}(?:{values})"


def _by_delimiters(key: str, form: KeyValueFormat) -> str:
    """Return the pattern of a key with delimiters.

    It matches from the beginning, item by item, so that nothing within quotes is taken for a key.
    """
    pair, between = quote(form.pair), quote(form.between)
    space = "" if form.pair[0].isspace() else r"\s*"
    # A set excludes single characters only; a longer delimiter needs a lazy dot.
    plain = f"{_none_of(form.pair)}*" if len(form.pair) == 1 else ".*?"
    name = f"{_none_of(form.pair + form.between)}*" if len(form.pair + form.between) == 2 else ".*?"
    bare = "".join(quote(each[0]) for each in form.quotes)
    unquoted = f"(?:[^{bare}{pair if len(form.pair) == 1 else ''}]{plain})?" if bare else plain
    ways = "|".join([*form.quoted(), unquoted])
    item = rf"\s*(?:{'|'.join([*form.quoted(), name])})(?:\s*{between}{space}(?:{ways}))?\s*"
    values = "|".join([*form.quoted(captured=True), f"({plain.removesuffix('?')}?)"])
    return rf"(?s)^(?:{item}{pair})*?\s*{form.key(key)}\s*{between}{space}(?:{values}){space}(?:{pair}|$)"


def _up_to_next(key: str, keys: Sequence[str], form: KeyValueFormat) -> str:
    """Return the pattern of a key in the mode greedy: the value reaches to the next declared key."""
    pair, between = quote(form.pair), quote(form.between)
    following = rf"{pair}\s*(?:{'|'.join(map(form.key, keys))})\s*{between}"
    values = "|".join([*form.quoted(captured=True), "(.*?)"])
    space = "" if form.pair[0].isspace() else r"\s*"
    return rf"(?s)(?:^|{pair})\s*{form.key(key)}\s*{between}{space}(?:{values})\s*(?:{following}|$)"


OPERATORS: dict[type, Callable[..., Relation]] = {syntax.ParseKv: bind_parse_kv}
