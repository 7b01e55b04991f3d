"""Regular expressions of queries, translated to RE2.

Kusto's syntax is that of Rust's regex crate, whose classes know Unicode. DuckDB and ClickHouse use RE2, whose
classes know ASCII only.

https://learn.microsoft.com/kusto/query/regex and https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re

from driftline.kql.bind.scope import Scope
from driftline.kql.plan.nodes import Const, Scalar
from driftline.kql.text import regex_groups
from driftline.kql.text.problems import Span

__all__ = ["regex", "translated"]

SET = re.compile(rf"(\\.)|{regex_groups.SET}", re.DOTALL)
REPEATED = re.compile(r"\{(\d+)(?:,(\d*))?\}")
LONGEST_REPEATED = 1000  # RE2's own limit
MOST_REPEATED = 16  # beyond, classes stay ASCII: RE2 needs seconds for 100 times all letters of Unicode
ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|[uU]\{([0-9a-fA-F]+)\}|(b\{(?:start|end)[^}]*\}|[<>])|(.))", re.DOTALL
)
CLASSES = {
    "d": r"\p{Nd}",
    "w": r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}",
    "s": r"\s\x{0B}\x{85}\p{Z}",
}
# Syntax of Rust's regex crate, or of other engines, that RE2 does not have.
REFUSED = (
    (re.compile(r"\(\?<?[=!]"), "look-around in regular expressions (RE2 has none)"),
    (re.compile(r"\(\?[a-zA-Z]*[xR]"), "the flags x and R of regular expressions"),
    (re.compile(r"\(\?[a-zA-Z]*-[a-zA-Z]*u"), "a regular expression without Unicode"),
)
IN_SETS = re.compile(r"&&|~~")


def regex(value: Scalar, scope: Scope, span: Span) -> Scalar:
    """Translate a constant pattern to RE2; a pattern that is no constant stays as it is."""
    if not isinstance(value, Const) or not isinstance(value.value, str):
        return value
    return Const("string", translated(value.value, scope, span))


def translated(text: str, scope: Scope, span: Span) -> str:
    """Translate a regular expression to RE2, and note a problem if it is invalid, as far as Python can tell."""
    for pattern, what in REFUSED:
        if pattern.search(text):
            scope.fail(f"not supported: {what}", span)
    _check(text, scope, span)
    return _written(text, scope, span)


# Python's error messages for patterns that RE2 refuses as well.
FLAWS = {
    "nothing to repeat": "repeats nothing",
    "unterminated character set": "has a set without an end",
    "missing ), unterminated subpattern": "has unbalanced brackets",
    "unbalanced parenthesis": "has unbalanced brackets",
    "min repeat greater than max repeat": "repeats less often at most than at least",
}
ESCAPED = re.compile(r"\\(?:[pPxuU]\{[^}]*\}|.)|(\(\?[a-zA-Z-]+[:)])", re.DOTALL)


def _check(text: str, scope: Scope, span: Span) -> None:
    """Note a problem for an invalid regular expression.

    Python's ``re`` checks the structure alone: sets and escapes, whose syntax differs, are replaced by a letter first.
    """
    most = max((int(count) for pair in REPEATED.findall(text) for count in pair if count), default=0)
    if most > LONGEST_REPEATED:
        scope.fail(f"not supported: more than {LONGEST_REPEATED} repetitions in regular expressions", span)
    plain = SET.sub(lambda found: found[1] or "x", text)
    plain = ESCAPED.sub(lambda found: "(?:" if (found[1] or "").endswith(":") else "" if found[1] else "x", plain)
    try:
        re.compile(plain)
    except (re.error, OverflowError, RecursionError) as e:
        flaw = FLAWS.get(getattr(e, "msg", ""))
        if flaw:
            scope.fail(f"this regular expression {flaw}", span)


def _written(text: str, scope: Scope, span: Span) -> str:
    """Translate sets, escapes and groups, each kind at its place."""
    wide = all(int(most or least) <= MOST_REPEATED for least, most in REPEATED.findall(text))
    # \d in a set adds members to it; outside it becomes a set of its own, so the two are translated apart.
    made, at = [], 0
    for each in SET.finditer(text):
        if each[1]:
            continue
        made += [_outside(text[at : each.start()], scope, span, wide=wide), _inside(each[0], scope, span, wide=wide)]
        at = each.end()
    found = "".join([*made, _outside(text[at:], scope, span, wide=wide)])
    return f"(?-s){found}" if DOT.search(SET.sub(lambda each: "x", text)) else found


# In ClickHouse a dot matches a line break as well; the flag -s turns that off. Rust's dot does not match one.
DOT = re.compile(r"[.]")


def _outside(text: str, scope: Scope, span: Span, *, wide: bool) -> str:
    """Translate the text between sets: named groups, the flag u, escapes."""
    named = re.sub(r"(\\.)|\(\?<(?=\w+>)", lambda found: found[1] or "(?P<", text, flags=re.DOTALL)
    plain = re.sub(r"(\\.)|\(\?u([:)])", lambda found: found[1] or f"(?:{found[2].strip(':')}", named, flags=re.DOTALL)
    return ESCAPE.sub(lambda found: _escape(found, scope, span, "[{}]" if wide else ""), plain)


def _inside(text: str, scope: Scope, span: Span, *, wide: bool) -> str:
    """Translate a set; RE2 has no intersection or difference of sets."""
    if IN_SETS.search(text):
        scope.fail("not supported: operations on sets in regular expressions", span)
    return ESCAPE.sub(lambda found: _escape(found, scope, span, "{}" if wide else ""), text)


def _escape(found: re.Match[str], scope: Scope, span: Span, form: str) -> str:
    """Translate an escape.

    ``form`` places the members of a Unicode class; empty, the class stays the ASCII class of RE2.
    """
    digits = found[1] or found[2] or found[3]
    if digits:
        return rf"\x{{{digits}}}"
    if found[4]:
        scope.fail(r"not supported: the start or end of a word in regular expressions; write '\b'", span)
    letter = found[5]
    # RE2 cannot negate a class within a set, so \D, \W and \S stay ASCII there.
    if not form or letter.lower() not in CLASSES or (letter.isupper() and form == "{}"):
        return found[0]
    members = CLASSES[letter.lower()]
    return form.format(members if letter.islower() else f"^{members}")
