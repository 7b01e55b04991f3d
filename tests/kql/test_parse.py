"""What published hunts look like is parsed; what is wrong is reported with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline import errors
from driftline.kql import QueryProblem
from driftline.kql.parse import parse

QUERIES = (Path(__file__).parent / "queries" / "basics.kql").read_text().split("\n---\n")


@pytest.mark.parametrize("text", QUERIES)
def test_hunts_parse(text: str) -> None:
    assert parse(text).body == parse(text + "\n// the end\n;").body


def test_a_problem_says_where() -> None:
    with pytest.raises(errors.InvalidQuery) as caught:
        parse("T\n| wher x == 1")

    assert caught.value.problems == (QueryProblem("unknown operator 'wher'; did you mean 'where'?", 2, 3, "", 4, 4),)


def test_all_problems_are_found_at_once() -> None:
    with pytest.raises(errors.InvalidQuery) as caught:
        parse("T | wher x | take | project a,, b | extend")

    assert [problem.column for problem in caught.value.problems] == [5, 19, 31, 43]


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(errors.InvalidQuery, match="nested deeper"):
        parse("print " + "(" * 10_000 + "1" + ")" * 10_000)


def test_a_thousand_alternatives_are_not_deep() -> None:
    parse("T | where " + " or ".join(f"a == {n}" for n in range(1000)))
