"""Comparison operators of conditions and path globs of allow lists, with bounded run time.

Regular expressions are RE2's (https://github.com/google/re2/wiki/WhyRE2): it takes time linear in the
text, because it has no backreferences and no look-around. So no policy can stall the sensor. Rejected
was Python's ``re`` with some constructs forbidden: whether nested repetitions backtrack exponentially
cannot be seen from the pattern without implementing a regular-expression engine.

Globs are Python's ``fnmatch``. It translates each ``*`` but the last to an atomic group (since Python
3.11), which does not backtrack, so a match takes at most the product of text length and pattern length.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import re2

__all__ = [
    "MAX_REGEX",
    "OPERATORS",
    "Comparison",
    "Matcher",
    "Operator",
    "check_value",
    "glob",
    "is_negated",
    "matcher",
]

Matcher = Callable[[str], bool]

MAX_REGEX = 256
"""Maximum length of a regular expression in characters."""
# Bytes for the program of one expression and its DFA cache (max_mem in re2.h). If the DFA needs more, RE2
# uses its NFA, which is slower and still linear in the text.
_REGEX_MEMORY = 1 << 18


class Operator(StrEnum):
    """Comparison of a condition; all are case-sensitive."""

    EQUALS = "equals"
    NOT_EQUALS = "notEquals"
    STARTS_WITH = "startsWith"
    NOT_STARTS_WITH = "notStartsWith"
    ENDS_WITH = "endsWith"
    NOT_ENDS_WITH = "notEndsWith"
    CONTAINS = "contains"
    NOT_CONTAINS = "notContains"
    GLOB = "glob"
    NOT_GLOB = "notGlob"
    REGEX = "regex"
    NOT_REGEX = "notRegex"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Implementation and description of an operator that is not a negation."""

    meaning: str
    """Description for the reference page; completes the sentence "holds if the text …"."""
    make: Callable[[tuple[str, ...]], Matcher]
    """Function that makes the matcher of the given values."""
    negated: Operator
    """The operator's negation."""


# A regular expression that matches no text.
_NOTHING = "(?!)"


def matcher(operator: Operator, values: tuple[str, ...]) -> Matcher:
    """Return a function that compares a text with the values of a condition.

    The values must be valid (``check_value``). A negation holds if no value matches: "not equals A, B"
    means "neither A nor B".
    """
    if operator in OPERATORS:
        return OPERATORS[operator].make(values)
    matches = _NEGATED[operator].make(values)
    return lambda actual: not matches(actual)


def is_negated(operator: Operator) -> bool:
    """Return whether an operator is the negation of another one."""
    return operator in _NEGATED


def check_value(operator: Operator, value: str) -> None:
    """Raise ``ValueError`` with the reason if a value is invalid for an operator.

    Only regular expressions can be invalid; all other operators take any text.
    """
    if operator in (Operator.REGEX, Operator.NOT_REGEX):
        _regex(value)


def glob(patterns: Sequence[str]) -> Matcher:
    """Return a function that compares a text with globs; it holds if any of them matches the whole text.

    Without patterns no text matches. As in ``fnmatch``, ``*`` matches any characters including ``/``.
    """
    matches = re.compile("|".join(map(fnmatch.translate, patterns)) or _NOTHING).match
    return lambda actual: matches(actual) is not None


def _equals(values: tuple[str, ...]) -> Matcher:
    return frozenset(values).__contains__


def _starts_with(values: tuple[str, ...]) -> Matcher:
    return lambda actual: actual.startswith(values)


def _ends_with(values: tuple[str, ...]) -> Matcher:
    return lambda actual: actual.endswith(values)


def _contains(values: tuple[str, ...]) -> Matcher:
    return lambda actual: any(value in actual for value in values)


def _regexes(values: tuple[str, ...]) -> Matcher:
    patterns = [_regex(value) for value in values]

    def matches(actual: str) -> bool:
        # Paths that are not UTF-8 contain lone surrogates, which strict encoding refuses.
        data = actual.encode(errors="surrogatepass")
        return any(pattern.fullmatch(data) for pattern in patterns)

    return matches


# Compiled expressions match bytes: RE2's Python binding encodes a text and counts its characters, which
# takes four times as long.
def _regex(value: str) -> re2._Regexp:
    if len(value) > MAX_REGEX:
        raise ValueError(f"expected a regular expression of at most {MAX_REGEX} characters, got {len(value)}")
    options = re2.Options()
    # A dot matches line ends as well, because a name or label may contain one; only whole matches count,
    # so groups need not be recorded.
    options.log_errors = False
    options.dot_nl = True
    options.never_capture = True
    options.max_mem = _REGEX_MEMORY
    try:
        return re2.compile(value, options)
    except re2.error as error:
        raise ValueError(f"not a regular expression of RE2: {error.args[0].decode(errors='replace')}") from error
    except UnicodeEncodeError as error:
        raise ValueError("expected a regular expression in Unicode, got a lone surrogate") from error


OPERATORS = {
    Operator.EQUALS: Comparison("is one of the values", _equals, Operator.NOT_EQUALS),
    Operator.STARTS_WITH: Comparison("starts with one of the values", _starts_with, Operator.NOT_STARTS_WITH),
    Operator.ENDS_WITH: Comparison("ends with one of the values", _ends_with, Operator.NOT_ENDS_WITH),
    Operator.CONTAINS: Comparison("contains one of the values", _contains, Operator.NOT_CONTAINS),
    Operator.GLOB: Comparison(
        "matches one of the globs: `*` is any characters, `?` is one character, `[ab]` is a or b, `[!ab]` is any other",
        glob,
        Operator.NOT_GLOB,
    ),
    Operator.REGEX: Comparison(
        "matches one of the RE2 regular expressions as a whole (https://github.com/google/re2/wiki/Syntax)",
        _regexes,
        Operator.NOT_REGEX,
    ),
}
"""All operators except the negations."""

_NEGATED = {comparison.negated: comparison for comparison in OPERATORS.values()}
