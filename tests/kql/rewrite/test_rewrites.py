"""Columns read, conditions pushed, time ranges and SQL after all rewrites."""

from __future__ import annotations

import datetime

import pytest

from driftline import kql
from driftline.kql import rewrite
from driftline.kql.plan import nodes, walk
from tests import clickhouse_engine

SCHEMA = {
    "T": {"Timestamp": "datetime", "a": "long", "s": "string", "d": "dynamic"},
    "U": {"Timestamp": "datetime", "a": "long", "s": "string", "d": "dynamic"},
}
NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def rewritten(text: str) -> nodes.Plan:
    found = kql.compiled(text, SCHEMA, now=NOW).plan
    assert found is not None
    return found


def read(text: str) -> dict[str, list[str]]:
    tables = [node for node in walk.nodes(rewritten(text)) if isinstance(node, nodes.Table)]
    return {table.name: [column.name for column in table.columns] for table in tables}


def conditions(text: str) -> list[str]:
    """Return the names of the tables directly below a filter."""
    parts = walk.nodes(rewritten(text))
    return [each.input.name for each in parts if isinstance(each, nodes.Filter) and isinstance(each.input, nodes.Table)]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("T | project s", {"T": ["s"]}),
        ("T | where a > 1 | project s", {"T": ["a", "s"]}),
        ("T | extend b = a + 1 | project s", {"T": ["s"]}),
        ("T | summarize count(), max(a) by s | project s, count_", {"T": ["s"]}),
        ("T | join kind=inner U on a | project s1", {"T": ["a"], "U": ["a", "s"]}),
        ("T | join kind=leftanti (U | where s == 'x') on a | project s", {"T": ["a", "s"], "U": ["a", "s"]}),
        ("union T, U | project a", {"T": ["a"], "U": ["a"]}),
        ("let m = materialize(T | where a > 1); m | where s == 'x' | union (m | project s) | project s",
         {"T": ["a", "s"]}),
        ("T | mv-expand d | project s", {"T": ["s", "d"]}),
        ("T | sort by a | project s", {"T": ["a", "s"]}),
        ("T | where a in ((U | project a)) | project s", {"T": ["a", "s"], "U": ["a"]}),
    ],
)  # fmt: skip
def test_only_used_columns_are_read(text: str, columns: dict[str, list[str]]) -> None:
    assert read(text) == columns


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("T | extend b = a + 1 | where b > 1", ["T"]),
        ("union T, U | where a > 1", ["T", "U"]),
        ("let x = T; x | project-rename b = a | where b > 1", ["T"]),
        ("let m = materialize(T); m | where a > 1", ["T"]),
        ("T | summarize count() by s | where s == 'x'", ["T"]),
        ("T | summarize n = count() by s | where n > 1", []),
        ("T | join kind=inner U on a | where s == 'x' and s1 == 'y'", ["T", "U"]),
        ("T | join kind=leftouter U on a | where s == 'x' and s1 == 'y'", ["T"]),
        ("T | join kind=fullouter U on a | where s == 'x'", []),
        ("T | mv-expand d | where s == 'x'", ["T"]),
        ("T | mv-expand d | where d == 'x'", []),
        ("T | take 5 | where a > 1", []),
        ("T | sort by a | extend r = row_number() | where a > 1", []),
        ("T | extend r = rand() | where r > 0.5", []),
        ("T | distinct s | where s == 'x'", ["T"]),
    ],
)
def test_conditions_are_pushed_to_the_tables(text: str, tables: list[str]) -> None:
    assert sorted(conditions(text)) == tables


DAY = 86_400_000_000
MIDDAY = (NOW - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(microseconds=1)
FIRST = MIDDAY - 22 * DAY - DAY // 2


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("T", None, None),
        ("T | where Timestamp > ago(7d)", MIDDAY - 7 * DAY + 1, None),
        ("T | where ago(7d) <= Timestamp", MIDDAY - 7 * DAY, None),
        ("T | where Timestamp between (datetime(2026-11-01) .. 2d)", FIRST, FIRST + 2 * DAY),
        ("T | where Timestamp > bin(ago(1h), 1d) and Timestamp < now()", MIDDAY - DAY // 2 + 1, MIDDAY - 1),
        ("T | where Timestamp == datetime(2026-11-01)", FIRST, FIRST),
        ("T | where Timestamp > ago(1d) or a > 1", None, None),
        ("T | where a > 1 | extend b = 1 | project Timestamp, b | where Timestamp > ago(1d)", MIDDAY - DAY + 1, None),
        ("union (T | where Timestamp > ago(2d)), (T | where Timestamp > ago(1d))", MIDDAY - 2 * DAY + 1, None),
        ("union (T | where Timestamp > ago(2d)), T", None, None),
        ("T | where Timestamp > todatetime(s)", None, None),
    ],
)
def test_time_bounds(text: str, first: int | None, last: int | None) -> None:
    assert kql.compiled(text, SCHEMA, now=NOW).reach["T"].bounds == rewrite.Bounds(first, last)


def test_elements_used_as_text_are_expanded_as_text() -> None:
    assert "->>" not in kql.translate("T | mv-expand d | summarize count() by tostring(d)", SCHEMA).partition("ELSE")[0]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("T | where Timestamp > ago(1d) and a > 1", False),
        ("T | where Timestamp > ago(1d) | project a", False),
        ("union (T | where Timestamp > ago(2d)), (T | where Timestamp > ago(1d))", True),
        ("T | where Timestamp > ago(1d) or a > 1", True),
        ("T | where Timestamp > ago(1d) and Timestamp != now()", True),
    ],
)
def test_enforced_time_conditions_are_dropped(text: str, kept: bool) -> None:
    found = kql.compiled(text, SCHEMA, now=NOW, bounded=True).plan
    assert found is not None

    compared = [
        part
        for node in walk.nodes(found)
        if isinstance(node, nodes.Filter)
        for part in walk.nodes(node.predicate)
        if isinstance(part, nodes.Col) and part.type == "datetime"
    ]
    assert bool(compared) == kept


ARRAY = """dynamic([1.5, "x", null, true, {"a": [1, "b"]}])"""
BAG = """dynamic({"a": 1, "b": null})"""


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (ARRAY, ["", "1.5", "true", "x", '{"a":[1,"b"]}']),
        (BAG, ['{"a":1}', '{"b":null}']),
        ("dynamic('x')", ["x"]),
        ("dynamic(null)", [""]),
        ("dynamic([])", []),
    ],
)
def test_text_of_elements(value: str, texts: list[str], engine: kql.Dialect) -> None:
    rest = "| summarize by t = tostring(e) | sort by t asc"
    plain = clickhouse_engine.hunt(f"print d = {value} | mv-expand e = d {rest}", {}, engine)
    member = clickhouse_engine.hunt(f"print b = bag_pack('d', {value}) | mv-expand e = b.d {rest}", {}, engine)

    assert plain.column("t").to_pylist() == member.column("t").to_pylist() == texts


def test_make_series_reads_its_table_once() -> None:
    text = "T | make-series n = count() on Timestamp from datetime(2026-11-01) to datetime(2026-11-02) step 1h by s"

    assert kql.translate(text, SCHEMA).count('FROM "T"') == 1


def test_a_member_path_is_one_extraction() -> None:
    sql = kql.translate("T | project tostring(d.a.b)", SCHEMA)

    assert sql.count("->") == 1 and """'$."a"."b"'""" in sql
