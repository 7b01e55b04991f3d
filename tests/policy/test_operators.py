"""How conditions compare."""

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.policy import operators
from driftline.policy.operators import OPERATORS, Operator

TEXTS = st.text(alphabet="ab*?[]!\n", max_size=8)


def matches(operator: Operator, value: str, text: str) -> bool:
    return operators.matcher(operator, (value,))(text)


def test_every_operator_compares_or_negates_one_that_does() -> None:
    assert {*OPERATORS, *(each.negated for each in OPERATORS.values())} == set(Operator)


@given(st.sampled_from(sorted(OPERATORS)), st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1), TEXTS)
def test_a_negation_holds_if_no_value_fits(operator: Operator, values: list[str], text: str) -> None:
    negated = operators.matcher(OPERATORS[operator].negated, tuple(values))

    assert negated(text) == (not any(matches(operator, value, text) for value in values))


@given(TEXTS, TEXTS)
def test_a_glob_is_what_fnmatch_says(pattern: str, text: str) -> None:
    assert matches(Operator.GLOB, pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(TEXTS)
def test_nothing_is_like_no_glob(text: str) -> None:
    assert not operators.glob(())(text)


@given(st.lists(TEXTS), TEXTS)
def test_several_globs_are_any_of_them(patterns: list[str], text: str) -> None:
    assert operators.glob(patterns)(text) == any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


@given(st.sampled_from(["a*b", "(a|b)+", ".*", "a?b?", "[^a]"]), TEXTS)
def test_a_regular_expression_must_match_the_whole_text(pattern: str, text: str) -> None:
    expected = re.fullmatch(pattern, text, re.DOTALL) is not None

    assert matches(Operator.REGEX, pattern, text) == expected


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+", "(.*a){25}", "(x+x+)+y"])
def test_no_regular_expression_blows_up(pattern: str) -> None:
    start = time.process_time()
    matches(Operator.REGEX, pattern, "a" * 10_000 + "b")

    assert time.process_time() - start < 1


@pytest.mark.parametrize("pattern", ["*a" * 200 + "c", "*?" * 200 + "c", "*[ab]" * 100 + "c"])
def test_no_glob_blows_up(pattern: str) -> None:
    start = time.process_time()
    matches(Operator.GLOB, pattern, "ab" * 2000)

    assert time.process_time() - start < 1


@pytest.mark.parametrize("text", ["\udcff", "\ud800", "a\0b"])
def test_a_text_that_is_no_unicode_can_be_compared(text: str) -> None:
    assert matches(Operator.REGEX, "a.b", text) == (text == "a\0b")


@pytest.mark.parametrize("value", ["(", "\ud800", "a" * 257])
def test_an_illegal_value_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="regular expression"):
        operators.check_value(Operator.REGEX, value)
