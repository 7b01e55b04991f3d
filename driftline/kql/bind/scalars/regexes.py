r"""Regular expressions of hunts, written as RE2 takes them.

Kusto's are those of Rust, whose classes know Unicode; both engines have RE2, whose classes know ASCII.
https://learn.microsoft.com/kusto/query/regex
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
LONGEST_REPEATED = 1000  # RE2 has no more
MOST_REPEATED = 16  # RE2 needs seconds for a hundred times all letters of Unicode
ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|[uU]\{([0-9a-fA-F]+)\}|(b\{(?:start|end)[^}]*\}|[<>])|(.))", re.DOTALL
)
CLASSES = {
    "d": r"\p{Nd}",
    "w": r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}",
    "s": r"\s\x{0B}\x{85}\p{Z}",
}
REFUSED = (
    (re.compile(r"\(\?<?[=!]"), "look-around in regular expressions (RE2 has none)"),
    (re.compile(r"\(\?[a-zA-Z]*[xR]"), "the flags x and R of regular expressions"),
    (re.compile(r"\(\?[a-zA-Z]*-[a-zA-Z]*u"), "a regular expression without Unicode"),
)
IN_SETS = re.compile(r"&&|~~")


def regex(value: Scalar, scope: Scope, span: Span) -> Scalar:
    """Give a pattern as RE2 takes it; one that is no constant stays as it is."""
    if not isinstance(value, Const) or not isinstance(value.value, str):
        return value
    return Const("string", translated(value.value, scope, span))


def translated(text: str, scope: Scope, span: Span) -> str:
    """Write a regular expression as RE2 takes it; complain about what is none, as far as can be told here."""
    for pattern, what in REFUSED:
        if pattern.search(text):
            scope.fail(f"not supported: {what}", span)
    _check(text, scope, span)
    return _written(text, scope, span)


# What Python complains of that RE2 does not take either.
FLAWS = {
    "nothing to repeat": "repeats nothing",
    "unterminated character set": "has a set without an end",
    "missing ), unterminated subpattern": "has unbalanced brackets",
    "unbalanced parenthesis": "has unbalanced brackets",
    "min repeat greater than max repeat": "repeats less often at most than at least",
}
ESCAPED = re.compile(r"\\(?:[pPxuU]\{[^}]*\}|.)|(\(\?[a-zA-Z-]+[:)])", re.DOTALL)


def _check(text: str, scope: Scope, span: Span) -> None:
    """Complain of what is no regular expression; sets and escapes stand for a letter, as Python's differ."""
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
    """Translate sets, escapes and groups; each kind where it stands."""
    wide = all(int(most or least) <= MOST_REPEATED for least, most in REPEATED.findall(text))
    made, at = [], 0
    for each in SET.finditer(text):
        if each[1]:
            continue
        made += [_outside(text[at : each.start()], scope, span, wide=wide), _inside(each[0], scope, span, wide=wide)]
        at = each.end()
    found = "".join([*made, _outside(text[at:], scope, span, wide=wide)])
    return f"(?-s){found}" if DOT.search(SET.sub(lambda each: "x", text)) else found


# To ClickHouse a dot is a line break, too.
DOT = re.compile(r"[.]")


def _outside(text: str, scope: Scope, span: Span, *, wide: bool) -> str:
    named = re.sub(r"(\\.)|\(\?<(?=\w+>)", lambda found: found[1] or "(?P<", text, flags=re.DOTALL)
    plain = re.sub(r"(\\.)|\(\?u([:)])", lambda found: found[1] or f"(?:{found[2].strip(':')}", named, flags=re.DOTALL)
    return ESCAPE.sub(lambda found: _escape(found, scope, span, "[{}]" if wide else ""), plain)


def _inside(text: str, scope: Scope, span: Span, *, wide: bool) -> str:
    if IN_SETS.search(text):
        scope.fail("not supported: operations on sets in regular expressions", span)
    return ESCAPE.sub(lambda found: _escape(found, scope, span, "{}" if wide else ""), text)


def _escape(found: re.Match[str], scope: Scope, span: Span, form: str) -> str:
    """Write an escape; ``form`` places the members of a class, empty where it shall know ASCII alone."""
    digits = found[1] or found[2] or found[3]
    if digits:
        return rf"\x{{{digits}}}"
    if found[4]:
        scope.fail(r"not supported: the start or end of a word in regular expressions; write '\b'", span)
    letter = found[5]
    if not form or letter.lower() not in CLASSES or (letter.isupper() and form == "{}"):
        return found[0]
    members = CLASSES[letter.lower()]
    return form.format(members if letter.islower() else f"^{members}")
