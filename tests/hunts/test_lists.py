"""A CSV file becomes a list that hunts read."""

from __future__ import annotations

import pytest

from driftline.errors import InvalidInput
from driftline.hunts.functions import SavedHunt, compose
from driftline.hunts.lists import MOST_VALUES, datatable
from tests.clickhouse_engine import hunt_without_tables


def test_a_list_has_the_columns_of_the_file_and_a_search_key() -> None:
    text = datatable('\ufeffAsset id,Owner\r\n7,"a ""b"", c"\r\n\r\n8,\r\n')

    assert hunt_without_tables(text, "duckdb").to_pylist() == [
        {"Asset id": "7", "Owner": 'a "b", c', "SearchKey": "7"},
        {"Asset id": "8", "Owner": "", "SearchKey": "8"},
    ]


def test_the_search_key_may_be_any_column_or_the_file_s_own() -> None:
    assert hunt_without_tables(datatable("a,b\n1,2\n", "b"), "duckdb").to_pylist() == [
        {"a": "1", "b": "2", "SearchKey": "2"}
    ]
    assert hunt_without_tables(datatable("a,SearchKey\n1,x\n"), "duckdb").to_pylist() == [{"a": "1", "SearchKey": "x"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a header and rows"),
        ("a,b\n1\n", "line 2: expected 2 values, got 1"),
        ("a,a\n1,2\n", "line 1: expected a header of different names"),
        ("a,\n1,2\n", "line 1: expected a header of different names"),
        ('a\n"x\n', "line 2: unexpected end of data"),
        ("a\n" + "1\n" * MOST_VALUES, "a list of 30,000 values"),
        ("a\n" + ("x" * 100_000 + "\n") * 4, "characters; at most"),
    ],
)
def test_a_file_that_is_no_list_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        datatable(text)


def test_an_unknown_search_key_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no column 'c'; it has a, b"):
        datatable("a,b\n1,2\n", "c")


@pytest.mark.parametrize(
    "query",
    [
        "_GetWatchlist('high-value') | project IP, SearchKey",
        'let l = externaldata (IP: string, SearchKey: string) [@"https://example.com/a/high-value.csv?x=1"]; l',
        'externaldata (A: string, B: string, C: string) ["high-value.csv"] | project IP = A, SearchKey = C',
        "let key = 'high-value'; _GetWatchlist(key) | project IP, SearchKey",
    ],
)
def test_a_hunt_that_names_a_list_gets_its_rows(query: str) -> None:
    saved = {"high_value": SavedHunt("high_value", datatable("IP,n\n10.0.0.1,5\n"))}

    assert hunt_without_tables(compose(query, saved).text, "duckdb").to_pylist() == [
        {"IP": "10.0.0.1", "SearchKey": "10.0.0.1"}
    ]


def test_a_hunt_without_lists_is_left_as_it_is() -> None:
    saved = {"high_value": SavedHunt("high_value", "print 1")}

    assert compose("print 'high-value'", saved).text == "print 'high-value'"
