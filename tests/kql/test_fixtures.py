"""Every fixture returns its expected rows, on DuckDB and on ClickHouse's engine, with and without rewrites.

A fixture file is plain text: blocks separated by a line ``---``. Each block has a title after ``#``, the query, a line
``=>``, and the expected columns and rows as CSV, whose cells are JSON (``null``, ``1``, ``"x"``, ``[1,2]``). Input
tables are ``let`` datatables. ``[duckdb]`` at the end of a title marks a query that must be refused on ClickHouse.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from driftline import errors
from driftline.kql import rewrite
from driftline.kql.text import constants
from tests.clickhouse_engine import EngineName, hunt_without_tables

Fixture = tuple[str, str, list[str]]
FOLDER = Path(__file__).parent / "fixtures"


def blocks() -> Iterator[Fixture]:
    for path in sorted(FOLDER.rglob("*.kql")):
        for block in path.read_text().split("\n---\n"):
            title, _, rest = block.strip().partition("\n")
            query, _, expected = rest.partition("\n=>\n")
            yield f"{path.stem}: {title.lstrip('# ')}", query, expected.strip().split("\n")


def written(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "datetime":
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    if kind == "timespan":
        return constants.timespan_text(value // datetime.timedelta(microseconds=1) * 10)
    if kind == "real" and not math.isfinite(value):
        return str(value)
    if kind == "real":
        return round(value, 9)
    return json.loads(value, parse_float=lambda text: round(float(text), 9)) if kind == "dynamic" else value


FIXTURES = list(blocks())


def actual(query: str, engine: EngineName) -> list[str | list[Any]]:
    """Return the column names and then the rows of a query, in the form of ``promised``."""
    rows = hunt_without_tables(query, engine)
    kinds = [(field.metadata or {})[b"kusto"].decode() for field in rows.schema]
    found = [
        [written(value, kind) for value, kind in zip(row.values(), kinds, strict=True)] for row in rows.to_pylist()
    ]
    return [", ".join(rows.column_names), *found]


def promised(expected: list[str]) -> list[str | list[Any]]:
    return [expected[0], *(json.loads(f"[{row}]") for row in expected[1:])]


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
@pytest.mark.parametrize("fixture", FIXTURES, ids=[fixture[0] for fixture in FIXTURES])
class TestFixture:
    def test_with_rewrites(self, fixture: Fixture, engine: EngineName) -> None:
        check(fixture, engine)

    def test_without_rewrites(self, fixture: Fixture, engine: EngineName, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rewrite, "rewritten", lambda plan, *_: plan)

        check(fixture, engine)


def check(fixture: Fixture, engine: EngineName) -> None:
    title, query, expected = fixture
    if engine == "clickhouse" and title.endswith("[duckdb]"):
        with pytest.raises(errors.InvalidQuery, match="not supported on clickhouse"):
            actual(query, engine)
    else:
        assert actual(query, engine) == promised(expected)
