"""Stored texts are read without ``coalesce`` where a filter drops their nulls."""

from __future__ import annotations

import pyarrow as pa
import pytest

from driftline import kql, store
from tests import clickhouse_engine

TABLE = pa.table(
    {
        "a": ["curl", None, "", "CURL", "sh", "x", None, "curl sh"],
        "b": [None, "sh", "sh", "", "curl", None, None, "y"],
        "n": list(range(8)),
    }
)
CONDITIONS = [
    "a == 'curl'",
    "a == ''",
    "a != 'curl'",
    "a in ('curl', 'sh')",
    "a in ('', 'sh')",
    "a in~ ('curl', 'sh')",
    "a !in~ ('curl')",
    "a has 'curl'",
    "a has ''",
    "a !has 'curl'",
    "a has_any ('sh', 'x')",
    "a has_all ('curl', 'sh')",
    "a contains 'cu' or b contains 'cu'",
    "a contains 'cu' or a == 'sh'",
    "a has 'curl' and b != 'y'",
    "a has 'curl' and not(b == 'y')",
    "a has 'curl' and isempty(b)",
    "a =~ 'curl' and b =~ ''",
    "a == b",
    "a startswith b",
    "tolower(a) == 'curl' and strlen(b) == 0",
    "not(a has 'curl')",
    "(a has 'curl') == false",
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_null_text_equals_an_empty_text(condition: str) -> None:
    texts = {name: [text or "" for text in TABLE.column(name).to_pylist()] for name in "ab"}
    empty = pa.table({**texts, "n": TABLE.column("n")})
    query = f"T | where {condition} | extend c = strcat(a, b), d = isempty(a), e = a == 'sh' | sort by n asc"
    expected = store.hunt(query, {"T": empty}).to_pylist()

    assert store.hunt(query, {"T": TABLE}).to_pylist() == expected
    assert clickhouse_engine.hunt(query, {"T": TABLE}, "clickhouse").to_pylist() == expected


@pytest.mark.parametrize(
    ("condition", "read"),
    [
        ("a has 'x'", {"b"}),
        ("a in~ ('x') and b == 'y'", set()),
        ("a has 'x' or a has 'y'", {"b"}),
        ("a has 'x' or b has 'x'", {"a", "b"}),
        ("a == '' and b has 'x'", {"a"}),
        ("not(a has 'x')", {"a", "b"}),
        ("a has b", {"a", "b"}),
    ],
)
def test_columns_read_with_coalesce(condition: str, read: set[str]) -> None:
    sql = kql.translate(f"T | where {condition}", {"T": {"a": "string", "b": "string"}})

    assert {name for name in "ab" if f"COALESCE(\"{name}\", '')" in sql} == read
