"""How a condition compares, and how a path is allowed: each way linear in the text it looks at.

Regular expressions are RE2's: it has no construct that could take more than linear time (no
backreferences, no look-around), so that no policy can stall the sensor. Python's own ``re`` with
some constructs refused was weighed: which nested repetitions blow up cannot be told from the
pattern without an engine of one's own.

Globs are Python's ``fnmatch``. It wraps each ``*`` in an atomic group (since Python 3.11), so
that it never goes back, and takes at most text times pattern.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import re2

__all__ = ["MAX_REGEX", "OPERATORS", "Comparison", "Matcher", "Operator", "check_value", "glob", "matcher"]

Matcher = Callable[[str], bool]

MAX_REGEX = 256
_REGEX_MEMORY = 1 << 18  # bytes for one expression's program and its DFA; beyond it RE2 takes its slower NFA


class Operator(StrEnum):
    """How a condition compares; upper and lower case differ."""

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
    """What an operator does: from its values to a function that says whether a text matches any of them."""

    meaning: str
    make: Callable[[tuple[str, ...]], Matcher]
    negated: Operator


_NOTHING = "(?!)"


def matcher(operator: Operator, values: tuple[str, ...]) -> Matcher:
    """Make the function that compares a text; the values are legal (``check_value``).

    A negation holds if none of the values matches, as "is not A or B" is meant.
    """
    if operator in OPERATORS:
        return OPERATORS[operator].make(values)
    matches = _NEGATED[operator].make(values)
    return lambda actual: not matches(actual)


def check_value(operator: Operator, value: str) -> None:
    """Raise ``ValueError`` with the reason if an operator cannot take a value."""
    if operator in (Operator.REGEX, Operator.NOT_REGEX):
        _regex(value)


def glob(patterns: Sequence[str]) -> Matcher:
    """Make the function that says whether a text is like one of the patterns."""
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
        data = actual.encode(errors="surrogatepass")
        return any(pattern.fullmatch(data) for pattern in patterns)

    return matches


# Of bytes: given text, RE2's binding encodes it and counts its characters, at four times the price.
def _regex(value: str) -> re2._Regexp:
    if len(value) > MAX_REGEX:
        raise ValueError(f"expected a regular expression of at most {MAX_REGEX} characters, got {len(value)}")
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    options.never_capture = True
    options.max_mem = _REGEX_MEMORY
    try:
        return re2.compile(value, options)
    except re2.error as error:
        raise ValueError(f"not a regular expression of RE2: {error.args[0].decode(errors='replace')}") from error
    except UnicodeEncodeError as error:
        raise ValueError("expected a regular expression in Unicode, got half of a surrogate pair") from error


OPERATORS = {
    Operator.EQUALS: Comparison("is one of the values", _equals, Operator.NOT_EQUALS),
    Operator.STARTS_WITH: Comparison("starts with one of the values", _starts_with, Operator.NOT_STARTS_WITH),
    Operator.ENDS_WITH: Comparison("ends with one of the values", _ends_with, Operator.NOT_ENDS_WITH),
    Operator.CONTAINS: Comparison("contains one of the values", _contains, Operator.NOT_CONTAINS),
    Operator.GLOB: Comparison(
        "is like one of the values: `*` stands for any characters, `?` for one, `[ab]` for a or b, `[!ab]` for another",
        glob,
        Operator.NOT_GLOB,
    ),
    Operator.REGEX: Comparison(
        "is matched whole by one of the values, regular expressions of RE2 (https://github.com/google/re2/wiki/Syntax)",
        _regexes,
        Operator.NOT_REGEX,
    ),
}
"""Every operator that is no negation."""

_NEGATED = {comparison.negated: comparison for comparison in OPERATORS.values()}
