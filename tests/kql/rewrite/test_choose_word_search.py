"""Next to an equality, words are searched with ``contains(lower(…))`` instead of ``ILIKE``."""

from __future__ import annotations

import pytest

from driftline import kql
from tests.clickhouse_engine import EngineName, hunt


@pytest.mark.parametrize(
    ("condition", "function"),
    [
        ("s has 'x'", "ILIKE"),
        ("s has 'x' and n > 1", "ILIKE"),
        ("s has 'x' or n == 1", "ILIKE"),
        ("s has 'x' and n == 1", "CONTAINS"),
        ("s has_any ('x', 'y.z') and t in~ ('a')", "CONTAINS"),
        ("s has 'x' and not(n == 1)", "ILIKE"),
    ],
)
def test_an_equality_selects_contains(condition: str, function: str) -> None:
    sql = kql.translate(f"T | where {condition}", {"T": {"s": "string", "t": "string", "n": "long"}})

    assert {each for each in ("ILIKE", "CONTAINS") if each in sql} == {function}


@pytest.mark.parametrize("word", ["curl", "CURL", "c%l", "c_l", "a.b", "é", "k"])
@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
def test_both_searches_find_the_same_rows(word: str, engine: EngineName) -> None:
    texts = ["curl", "CURL x", "xcurl", "c%l", "cxl", "c_l", "A.B", "axb", "É", "\u212a", ""]
    rows = ", ".join(f'"{text}", 1' for text in texts)
    source = f"datatable(s: string, n: long)[{rows}] | where s has '{word}'"
    beside = hunt(f"{source} and n == 1", {}, engine)

    assert beside.column("s").to_pylist() == hunt(source, {}, engine).column("s").to_pylist()
