"""A subquery may be an argument of a function whose SQL has lambdas."""

from __future__ import annotations

import pytest

from tests.clickhouse_engine import EngineName, hunt

LISTED = "let known = toscalar(datatable(a: string)['x', 'y'] | summarize make_list(a)); "


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("print n = array_length(set_intersect(known, pack_array('y', 'z')))", [1]),
        ("datatable(b: string)['y', 'q'] | where array_length(set_intersect(known, pack_array(b))) > 0", ["y"]),
        ("print b = 'y' | mv-expand n = set_difference(known, pack_array(b)) to typeof(string) | project n", ["x"]),
        ("print b = 'z' | summarize n = max(array_length(set_union(known, pack_array(b))))", [3]),
    ],
)
def test_subqueries_in_set_functions(query: str, expected: list[object], engine: EngineName) -> None:
    rows = hunt(LISTED + query, {}, engine)

    assert rows.num_columns == 1
    assert rows.column(0).to_pylist() == expected
