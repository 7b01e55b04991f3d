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


TABLE = (
    "let T = datatable(t: datetime, n: long, s: string)"
    "[datetime(2026-01-01), 1, 'a%20b', datetime(2026-01-02), 2, 'c'];"
    " let m = toscalar(T | summarize max(t)); let n = toscalar(T | summarize max(n));"
    " let s = toscalar(T | where n == 1 | project s); "
)


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("T | where t > m - 1h | project n", [2]),
        ("T | where t + 1d >= m + 5m | project n", [2]),
        ("T | where t between (m - 1h .. m + 1h) | project n", [2]),
        ("T | where t between ((m - 1h) .. 2h) | project n", [2]),
        ("T | extend x = datetime_add('day', n, m) | project dayofmonth(x) | sort by Column1", [4, 3]),
        ("T | extend x = iff(t > m - 1h, m + 1d, startofday(m)) | project dayofmonth(x) | sort by Column1", [3, 2]),
        ("T | summarize count() by x = m + 1h | project hourofday(x)", [1]),
        ("print dayofmonth(endofmonth(m, 1))", [28]),
        ("print url_decode(s)", ["a b"]),
        ("print format_datetime(m + 1h, 'HH')", ["01"]),
        ("print dayofmonth(make_datetime(n + 2024, n, n))", [2]),
        ("range x from m to m + 2h step 1h | project hourofday(x)", [0, 1, 2]),
        ("range x from 1 to n step 1", [1, 2]),
        ("datatable(x: long)[1] | extend d = m + 1d | project dayofmonth(d)", [3]),
        ("T | make-series c = count() on t from (m - 2d) to (m + 1d) step 1d | mv-expand c to typeof(long) | project c",
         [0, 1, 1]),
        ("T | sort by t asc | scan with (step a: t > m - 1h;) | project n", [2]),
        ("T | where toscalar(T | summarize max(t)) - 1d > t - 1h | project n", [1]),
    ],
)  # fmt: skip
def test_subqueries_in_functions_of_time(query: str, expected: list[object], engine: EngineName) -> None:
    assert hunt(TABLE + query, {}, engine).column(0).to_pylist() == expected
