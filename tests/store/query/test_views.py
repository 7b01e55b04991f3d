"""The row groups and columns that a hunt reads, by DuckDB's profile, and the side of a join that it keeps in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pytest

from driftline import kql
from driftline.events import TABLES
from driftline.kql.rewrite import Bounds
from driftline.store.query.file_pruning import DataFile
from driftline.store.query.views import RowScope, TableSource, view_statement
from driftline.store.schema import create_statement
from driftline.store.term_index.index import write_index

COLUMNS = {name: {column.name: column.type for column in table.columns} for name, table in TABLES.items()}
GROUP_ROWS, GROUPS = 2048, 5
# A row a second from midnight on; five row groups of a bit more than half an hour.
SECOND = "SELECT TIMESTAMPTZ '2026-11-01 00:00:00+00' + to_seconds(i) AS Timestamp"
EVENTS = f"""{SECOND}, 'sleep ' || i AS ProcessCommandLine, CASE WHEN i = 5000 THEN 'nc' ELSE 'sleep' END AS FileName,
    'pod-' || i % 7 AS KubernetesPodName FROM range(10000) t(i)"""
AUDIT = f"{SECOND}, 'user-' || i AS ActionType FROM range(50) t(i)"
EARLY = "Timestamp between (datetime(2026-11-01 00:00) .. 10m)"


Tables = tuple[duckdb.DuckDBPyConnection, Mapping[str, TableSource]]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        tables = {}
        for name, rows in (("CloudProcessEvents", EVENTS), ("CloudAuditEvents", AUDIT)):
            path = tmp_path_factory.mktemp("store") / f"{name}.parquet"
            connection.execute(create_statement(name))
            select = f"SELECT * FROM {name} UNION ALL BY NAME {rows}"
            connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE {GROUP_ROWS})")
            write_index(path)
            tables[name] = TableSource(f"memory.main.{name}", [DataFile(path, Bounds())])
        yield connection, tables


def profile(stored: Tables, text: str) -> dict[str, Any]:
    """Run a hunt, and return DuckDB's profile of it."""
    connection, tables = stored
    found = kql.compiled(text, COLUMNS, bounded=True)
    cursor = connection.cursor()
    for name, reach in found.reach.items():
        cursor.execute(view_statement(name, COLUMNS[name], tables, RowScope(reach)))
    ((_, told),) = cursor.execute(f"EXPLAIN (ANALYZE, FORMAT json) {found.sql}").fetchall()
    account: dict[str, Any] = json.loads(told)
    return account


def operators(node: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    below = [found for child in node.get("children", node.get("operator", ())) for found in operators(child, kind)]
    return [node, *below] if node.get("type") == kind else below


def reads(account: dict[str, Any], table: str = "CloudProcessEvents") -> list[tuple[int, str]]:
    """Return the row groups and the columns that each scan of a table's file read."""
    scans = operators(account, "TABLE_SCAN")
    files = [each for each in scans if f"/{table}.parquet" in each["extra_info"].get("Filename(s)", "")]
    return [(each["row_groups_scanned"], str(each["extra_info"].get("Projections", ""))) for each in files]


@pytest.mark.parametrize(
    "text",
    [
        f"CloudProcessEvents | where {EARLY} | count",
        f"let recent = CloudProcessEvents | where {EARLY}; recent | where FileName != 'x' | count",
        f"CloudProcessEvents | extend Day = bin(Timestamp, 1d) | where {EARLY} | summarize count() by Day",
        f"union CloudProcessEvents, CloudAuditEvents | where {EARLY} | count",
        f"let f = (t: (*)) {{ t | project Timestamp, FileName }}; f(CloudProcessEvents) | where {EARLY} | count",
        "CloudProcessEvents | where ProcessCommandLine has 'sleep' and FileName has 'nc' | count",
        "let names = CloudProcessEvents | extend Name = tolower(FileName); names | where Name == 'nc' | count",
        "search in (CloudProcessEvents) FileName: 'nc' | count",
        "CloudProcessEvents | where FileName in~ ('NC', 'ncat') | summarize count() by KubernetesPodName",
    ],
)
def test_conditions_on_time_and_terms_read_one_row_group_of_five(stored: Tables, text: str) -> None:
    assert [groups for groups, _ in reads(profile(stored, text))] == [1]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("CloudProcessEvents | summarize count() by FileName", "FileName"),
        ("CloudProcessEvents | extend n = strlen(ProcessCommandLine) | project FileName", "FileName"),
        ("CloudProcessEvents | where FileName == 'nc' | project Timestamp", "Timestamp"),
    ],
)
def test_only_columns_that_the_result_needs_are_read(stored: Tables, text: str, columns: str) -> None:
    ((_, read),) = reads(profile(stored, text))
    assert sorted(read.strip("[]").replace("'", "").split(", ")) == sorted(columns.strip("[]").split(", "))


def test_a_materialized_table_is_read_once(stored: Tables) -> None:
    text = "let names = {}(CloudProcessEvents | summarize n = count() by FileName); names | join kind=inner names on n"

    assert len(reads(profile(stored, text.format("materialize")))) == 1


@pytest.mark.parametrize("kind", ["inner", "leftouter", "rightouter", "fullouter"])
@pytest.mark.parametrize(
    "order", [("CloudProcessEvents", "CloudAuditEvents"), ("CloudAuditEvents", "CloudProcessEvents")]
)
def test_a_join_keeps_the_smaller_side_in_memory(stored: Tables, kind: str, order: tuple[str, str]) -> None:
    left, right = order
    text = f"{left} | project Timestamp, a = 1 | join kind={kind} ({right} | project Timestamp, b = 1) on Timestamp"
    (join,) = operators(profile(stored, text), "HASH_JOIN")

    _, kept = join["children"]
    assert reads(kept, "CloudAuditEvents") and not reads(kept, "CloudProcessEvents")
