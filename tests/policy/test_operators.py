"""Comparison operators of conditions."""

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


def test_every_operator_is_implemented_or_the_negation_of_one() -> None:
    assert {*OPERATORS, *(each.negated for each in OPERATORS.values())} == set(Operator)


@given(st.sampled_from(sorted(OPERATORS)), st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1), TEXTS)
def test_a_negation_holds_if_no_value_matches(operator: Operator, values: list[str], text: str) -> None:
    negated = operators.matcher(OPERATORS[operator].negated, tuple(values))

    assert negated(text) == (not any(matches(operator, value, text) for value in values))


@given(TEXTS, TEXTS)
def test_a_glob_matches_as_fnmatch_does(pattern: str, text: str) -> None:
    assert matches(Operator.GLOB, pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(TEXTS)
def test_an_empty_list_of_globs_matches_no_text(text: str) -> None:
    assert not operators.glob(())(text)


@given(st.lists(TEXTS), TEXTS)
def test_a_text_matches_several_globs_if_it_matches_any(patterns: list[str], text: str) -> None:
    assert operators.glob(patterns)(text) == any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


@given(st.sampled_from(["a*b", "(a|b)+", ".*", "a?b?", "[^a]"]), TEXTS)
def test_a_regular_expression_must_match_the_whole_text(pattern: str, text: str) -> None:
    expected = re.fullmatch(pattern, text, re.DOTALL) is not None

    assert matches(Operator.REGEX, pattern, text) == expected


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+", "(.*a){25}", "(x+x+)+y"])
def test_regular_expressions_take_linear_time(pattern: str) -> None:
    start = time.process_time()
    matches(Operator.REGEX, pattern, "a" * 10_000 + "b")

    assert time.process_time() - start < 1


@pytest.mark.parametrize("pattern", ["*a" * 200 + "c", "*?" * 200 + "c", "*[ab]" * 100 + "c"])
def test_globs_take_polynomial_time(pattern: str) -> None:
    start = time.process_time()
    matches(Operator.GLOB, pattern, "ab" * 2000)

    assert time.process_time() - start < 1


@pytest.mark.parametrize("text", ["\udcff", "\ud800", "a\0b"])
def test_texts_with_lone_surrogates_are_compared(text: str) -> None:
    assert matches(Operator.REGEX, "a.b", text) == (text == "a\0b")


@pytest.mark.parametrize("value", ["(", "\ud800", "a" * 257])
def test_invalid_regular_expressions_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="regular expression"):
        operators.check_value(Operator.REGEX, value)
