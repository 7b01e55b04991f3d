"""Term matching (``has`` and its variants), and the quoting of text in regular expressions.

A term is a run of letters and digits; https://learn.microsoft.com/kusto/query/datatypes-string-operators#what-is-a-term
"""

from __future__ import annotations

import re

from driftline.kql.plan.nodes import Call, Const, Scalar
from driftline.kql.text.terms import SEPARATOR

__all__ = ["TERMS", "any_term", "quote_regex", "term"]

# Operator -> whether a term begins, ends, and is case-sensitive.
TERMS = {
    "has": (True, True, False),
    "has_cs": (True, True, True),
    "hasprefix": (True, False, False),
    "hasprefix_cs": (True, False, True),
    "hassuffix": (False, True, False),
    "hassuffix_cs": (False, True, True),
    ":": (True, True, False),
}
TOGETHER = 250  # terms in one pattern: RE2 limits the size of a pattern
ALNUM = re.compile(r"[A-Za-z0-9]+")


def term(op: str, text: Scalar, needle: Scalar) -> Scalar:
    """Match whole terms: the needle between separators or the ends of the text.

    ``op`` is a key of ``TERMS``. A constant needle gives the engine a plain text to search for before the pattern, and
    ``rewrite.needed_terms`` the terms that a file must hold.
    """
    begins, ends, exact = TERMS[op]
    flags = "" if exact else "(?i)"
    if not isinstance(needle, Const):
        quoted = Call("regex_quote", (needle,), "string")
        before = _bound(needle, f"^{SEPARATOR}", f"(^|{SEPARATOR})" if begins else "")
        after = _bound(needle, f"{SEPARATOR}$", f"($|{SEPARATOR})" if ends else "")
        pattern = Call("strcat", (Const("string", flags), before, quoted, after), "string")
        empty = Call("==string", (needle, Const("string", "")), "bool")
        return Call("or", (empty, Call("term_pattern", (text, pattern), "bool")), "bool")
    word = needle.value
    # Every text has the empty term.
    if not word:
        return Const("bool", True)
    if begins and ends and ALNUM.fullmatch(word):
        return Call(
            "has_cs" if exact else "has", (text, _bounded(word, flags, begins, ends), _plain(word, exact)), "bool"
        )
    return Call(
        "term_cs" if exact else "term", (text, _bounded(word, flags, begins, ends), _plain(word, exact)), "bool"
    )


def any_term(text: Scalar, needles: list[Scalar]) -> Scalar:
    """Match any of many constant terms by few patterns: one condition each takes longer to plan than to run."""
    words = [needle.value or "" for needle in needles if isinstance(needle, Const)]
    if "" in words:
        return Const("bool", True)
    patterns = [_any_of(words[start : start + TOGETHER]) for start in range(0, len(words), TOGETHER)]
    return Call("or", tuple(Call("term_pattern", (text, pattern), "bool") for pattern in patterns), "bool")


def _any_of(words: list[str]) -> Const:
    """Return one pattern for several terms; terms of ASCII letters and digits share their bounds."""
    plain = "|".join(word for word in words if ALNUM.fullmatch(word))
    shared = [f"(?:^|{SEPARATOR})(?:{plain})(?:$|{SEPARATOR})"] if plain else []
    others = [_bounded(word, "", begins=True, ends=True).value for word in words if not ALNUM.fullmatch(word)]
    return Const("string", f"(?i)(?:{'|'.join(shared + others)})")


def _bound(needle: Scalar, there: str, bound: str) -> Scalar:
    """Return the pattern of a term's bound; an empty text if the needle has a separator there already."""
    if not bound:
        return Const("string", "")
    found = Call("term_pattern", (needle, Const("string", there)), "bool")
    return Call("choose", (found, Const("string", ""), Const("string", bound)), "string")


def _plain(word: str, exact: bool) -> Const:
    """Return the needle to search for before the pattern: in lower case if case is ignored."""
    return Const("string", word if exact else word.lower())


def _bounded(word: str, flags: str, begins: bool, ends: bool) -> Const:
    """Return the pattern of a constant term with its bounds."""
    before = f"(?:^|{SEPARATOR})" if begins and not re.match(SEPARATOR, word[0]) else ""
    after = f"(?:$|{SEPARATOR})" if ends and not re.match(SEPARATOR, word[-1]) else ""
    return Const("string", f"{flags}{before}{quote_regex(word)}{after}")


def quote_regex(text: str) -> str:
    """Escape a text for RE2."""
    return re.sub(r"([^A-Za-z0-9_\u0080-\U0010ffff\n\r\t ])", r"\\\1", text)
