"""Every hunt of the library returns rows for its samples that fire and none for the quiet ones, on both engines."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from driftline import errors, hunts, kql
from driftline.events import TABLES
from driftline.store.query import hunt_tables
from tests import clickhouse_engine

LIBRARY = hunts.load()
SCHEMA = {name: {column.name: column.type for column in table.columns} for name, table in TABLES.items()}


def samples() -> Iterator[Any]:
    for hunt in LIBRARY.values():
        for word, found in (("fires", hunt.fires), ("quiet", hunt.quiet)):
            for number, sample in enumerate(found):
                yield pytest.param(hunt, sample, word == "fires", id=f"{hunt.name}-{word}-{number}")


def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    columns = {}
    for column in TABLES[name].columns:
        values: list[Any] = [row[column.name] for row in rows]
        if column.type == "dynamic":
            values = [json.dumps(value or {}) for value in values]
        kind: Any = hunt_tables.TYPES[column.type]
        columns[column.name] = pa.array(values, kind)
    fields = [pa.field(c.name, hunt_tables.TYPES[c.type], metadata={"kusto": c.type}) for c in TABLES[name].columns]
    return pa.table(columns, schema=pa.schema(fields))


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
@pytest.mark.parametrize(("hunt", "sample", "fires"), list(samples()))
def test_a_hunt_fires_for_its_samples_only(
    hunt: hunts.Hunt, sample: hunts.SampleRows, fires: bool, engine: clickhouse_engine.EngineName
) -> None:
    rows = hunts.sample_rows(sample, datetime.datetime.now(datetime.UTC))
    tables = {name: table(name, rows.get(name, [])) for name in hunt.tables}

    assert bool(clickhouse_engine.hunt(hunt.query, tables, engine).num_rows) == fires


@pytest.mark.parametrize("hunt", list(LIBRARY.values()), ids=lambda hunt: str(hunt.name))
def test_a_hunt_lists_the_tables_that_it_reads(hunt: hunts.Hunt) -> None:
    assert set(kql.compiled(hunt.query, SCHEMA).tables) == set(hunt.tables)


@pytest.mark.parametrize("hunt", list(LIBRARY.values()), ids=lambda hunt: str(hunt.name))
def test_a_hunt_has_a_description_and_samples(hunt: hunts.Hunt) -> None:
    assert hunt.title and hunt.description and hunt.fires and hunt.quiet
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", technique) for technique in hunt.techniques)


def test_the_library_has_at_least_40_hunts() -> None:
    assert len(LIBRARY) >= 40


@pytest.mark.parametrize("name", ["nothing", "../events/audit", ""])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(errors.InvalidInput, match="no hunt"):
        hunts.find(name)


def test_a_file_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(errors.InvalidInput, match="the hunt x"):
        hunts.parse("x", "title: t\nnonsense: 1\n")


def test_a_row_with_an_unknown_column_is_refused() -> None:
    with pytest.raises(errors.InvalidInput, match="SensorHealth has no column Nonsense"):
        hunts.sample_rows({"SensorHealth": [{"Nonsense": 1}]}, datetime.datetime.now(datetime.UTC))
