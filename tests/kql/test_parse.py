"""Published hunting queries parse; mistakes are reported with their position."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline import errors
from driftline.errors import QueryProblem
from driftline.kql import translate
from driftline.kql.parse import parse

FILES = sorted((Path(__file__).parent / "queries").glob("*.kql"))
QUERIES = [query for file in FILES for query in file.read_text().split("\n---\n")]
ALLOWED = (
    "unknown table",
    "no table's name matches",
    "none of the tables",
    "there is no table",
    "not supported",
    "the parameter",
)


def messages(text: str) -> list[str]:
    try:
        translate(text, {})
    except errors.InvalidQuery as error:
        return [problem.message for problem in error.problems]
    return []


@pytest.mark.parametrize("text", QUERIES)
def test_published_queries_parse(text: str) -> None:
    assert repr(parse(text).body) == repr(parse(text + "\n// the end\n;").body)  # a NaN equals no NaN


@pytest.mark.parametrize("text", QUERIES)
def test_published_queries_lack_only_tables(text: str) -> None:
    """Against an empty schema, all problems are unknown tables and features refused by name."""
    assert [problem for problem in messages(text) if not problem.startswith(ALLOWED)] == []


def test_a_problem_has_line_column_and_span() -> None:
    with pytest.raises(errors.InvalidQuery) as caught:
        parse("T\n| wher x == 1")

    assert caught.value.problems == (QueryProblem("unknown operator 'wher'; did you mean 'where'?", 2, 3, "", 4, 4),)


def test_all_problems_are_found_at_once() -> None:
    with pytest.raises(errors.InvalidQuery) as caught:
        parse("T | wher x | take | project a,, b | extend")

    assert [problem.column for problem in caught.value.problems] == [5, 19, 31, 43]


def test_deeply_nested_brackets_are_refused() -> None:
    with pytest.raises(errors.InvalidQuery, match="nested too deeply") as caught:
        parse("print " + "(" * 10_000 + "1" + ")" * 10_000)
    assert len(caught.value.problems) == 1


def test_a_thousand_alternatives_parse() -> None:
    parse("T | where " + " or ".join(f"a == {n}" for n in range(1000)))
