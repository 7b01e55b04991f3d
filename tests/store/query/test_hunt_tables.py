"""Hunts over Arrow tables and files, and what they cannot read."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from driftline import errors, store
from driftline.store.query.hunt_tables import Limits, hunt
from tests import clickhouse_engine

WHEN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
TABLE = pa.table(
    {
        "Name": ["sh", None],
        "When": pa.array([WHEN, None], pa.timestamp("us", "UTC")),
        "Took": pa.array([datetime.timedelta(seconds=90), None]),
        "Bag": [{"a": [1, 2]}, None],
        "Count": pa.array([1, None], pa.uint32()),
    }
)


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
def test_arrow_types_become_kusto_types(engine: clickhouse_engine.EngineName) -> None:
    rows = clickhouse_engine.hunt("T | extend Two = Bag.a[1], Later = When + Took", {"T": TABLE}, engine)

    assert [(field.metadata or {})[b"kusto"] for field in rows.schema] == (
        [b"string", b"datetime", b"timespan", b"dynamic", b"long", b"dynamic", b"datetime"]
    )
    assert rows.column("Name").to_pylist() == ["sh", ""]
    assert rows.column("Two").to_pylist() == ["2", None]
    assert rows.column("Later").to_pylist() == [WHEN + datetime.timedelta(seconds=90), None]


def test_the_schema_parameter_overrides_types() -> None:
    rows = hunt("T | project B.x", {"T": pa.table({"B": ['{"x": 1}']})}, schema={"T": {"B": "dynamic"}})

    assert rows.to_pydict() == {"B_x": ["1"]}


def test_parquet_csv_and_json_lines_files_are_tables(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("a\n2\n")
    (tmp_path / "c.jsonl").write_text('{"a": 3}\n')
    tables = {
        name: tmp_path / f"{name}{suffix}" for name, suffix in (("a", ".parquet"), ("b", ".csv"), ("c", ".jsonl"))
    }

    assert store.hunt("union * | sort by a asc", tables).to_pydict() == {"a": [1, 2, 3]}


def test_an_unreadable_input_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("no")

    with pytest.raises(errors.InvalidInput, match=r"x\.parquet"):
        hunt("T", {"T": tmp_path / "x.parquet"})


@pytest.mark.parametrize("name", ["/etc/passwd", "duckdb_settings()", "information_schema.tables", "a'b.csv"])
def test_only_input_tables_can_be_read(name: str) -> None:
    with pytest.raises(errors.InvalidQuery, match="unknown table"):
        hunt(f"['{name}']" if "'" not in name else f'["{name}"]', {"T": TABLE})


def test_a_table_name_is_quoted() -> None:
    assert hunt("['odd \" name'] | count", {'odd " name': TABLE}).to_pydict() == {"Count": [2]}


def test_a_hunt_over_input_tables_ends_at_its_time_limit() -> None:
    many = "range a from 1 to 1000000 step 1 | extend k = 1"
    slow = f"{many} | join kind=inner ({many}) on k | summarize sum(a * a1)"

    with pytest.raises(errors.StoreError, match=r"longer than 0\.2 s"):
        hunt(slow, {}, limits=Limits(seconds=0.2))


def test_columns_whose_names_differ_only_in_case_are_refused() -> None:
    with pytest.raises(errors.InvalidInput, match="two columns"):
        hunt("T", {"T": pa.table({"a": [1], "A": [2]})})


def test_a_datetime_out_of_kustos_range_is_null() -> None:
    late, early = 'datetime_add("day", 1, datetime(9999-12-31))', 'datetime_add("day", -1, datetime(0001-01-01))'
    rows = hunt(f"print a = {late}, b = {early}, c = datetime(9999-12-31)", {})

    assert rows.to_pylist() == [{"a": None, "b": None, "c": datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC)}]
