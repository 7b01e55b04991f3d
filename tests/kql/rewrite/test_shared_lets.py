"""A let is bound once, and computed once where it is used more than once and costs more than a filter."""

from __future__ import annotations

import pytest

from driftline import kql
from tests.clickhouse_engine import EngineName, hunt

COLUMNS = {"a": "long", "s": "string", "Timestamp": "datetime"}
SCHEMA = {f"T{number}": COLUMNS for number in range(40)}
ROWS = "let T = datatable(a: long, s: string)[1, 'x', 2, 'y', 3, 'x']; "
CHAINS = {
    "values": ("let l0 = toscalar(T0 | summarize max(a)); ", "let l{0} = l{1} + l{1}; ", "print l{0}"),
    "unions": ("let l0 = T0 | where a > 1; ", "let l{0} = union l{1}, l{1}; ", "l{0} | count"),
    "joins": ("let l0 = T0 | where a > 1; ", "let l{0} = l{1} | join kind=inner l{1} on a | project a; ", "l{0}"),
    "in": ("let l0 = T0 | project s; ", "let l{0} = T{0} | where s in (l{1}) or s !in (l{1}) | project s; ", "l{0}"),
    "has_any": ("let l0 = T0 | project s; ", "let l{0} = T{0} | where s has_any (l{1}) | project s; ", "l{0}"),
    "as": ("T0 ", "| as l{0} | join kind=inner l{0} on a | project a ", "| count"),
}


def chain(kind: str, length: int) -> str:
    first, step, last = CHAINS[kind]
    return first + "".join(step.format(number, number - 1) for number in range(1, length + 1)) + last.format(length)


@pytest.mark.parametrize("dialect", ["duckdb", "clickhouse"])
@pytest.mark.parametrize("kind", CHAINS)
def test_the_sql_of_a_chain_of_lets_grows_by_its_length(kind: str, dialect: kql.Dialect) -> None:
    short, long = (len(kql.translate(chain(kind, length), SCHEMA, dialect)) for length in (8, 24))

    assert long < 4 * short


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("let m = T | summarize n = count() by s; m | join kind=inner m on n, s | project n | sort by n", [2, 1]),
        ("let m = T | where a > 1; union m, m | project a | sort by a", [3, 3, 2, 2]),
        ("let m = toscalar(T | summarize max(a)); let n = m + m; T | project b = a + n + n | sort by b", [15, 14, 13]),
        ("let m = toscalar(T | where a > 5 | project s); print n = strlen(strcat(m, m))", [0]),
        ("let m = T | top 2 by a; m | where a in (m) | project a | sort by a", [3, 2]),
        ("T | as X | where a > 1 | join kind=inner X on s | project a | sort by a", [3, 3, 2]),
        ("let w = T | where a > 1 | project s; T | where s has_any (w) and s has_any (w) | count", [3]),
        ("let k = T | sort by a; k | extend p = prev(a) | where p == 3 | project a | union (k | take 1 | project a)"
         "| sort by a", [3, 2]),
    ],
)  # fmt: skip
def test_uses_of_a_let_have_its_rows(query: str, expected: list[int], engine: EngineName) -> None:
    assert hunt(ROWS + query, {}, engine).column(0).to_pylist() == expected


RANDOM = "range n from 1 to 1000 step 1 | extend r = rand() | where r < 0.5 | project r"


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
@pytest.mark.parametrize(
    "query",
    [
        f"let m = materialize({RANDOM}); union m, m",
        f"let m = materialize({RANDOM}) | project r; union m, m",
        f"let m = () {{ materialize({RANDOM}) }}; union m(), m()",
        f"{RANDOM} | as hint.materialized=true m | union m",
    ],
)
def test_all_uses_of_a_materialized_table_have_the_same_rows(query: str, engine: EngineName) -> None:
    counts = hunt(f"{query} | summarize n = count() by r | distinct n", {}, engine)

    assert counts.column(0).to_pylist() == [2]


def test_the_conditions_on_a_let_that_filters_pass_to_its_table() -> None:
    text = "let m = T0 | where a > 1; let d = datetime(2026-11-01); m | where Timestamp > d"
    text += " | union (m | where Timestamp > d)"

    assert kql.compiled(text, SCHEMA).reach["T0"].bounds.first is not None
