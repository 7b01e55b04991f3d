"""The SQL of any query reads the given tables only: no files, settings or other tables."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import errors, hunts, kql
from driftline.events import TABLES

EVENTS = {name: {column.name: column.type for column in table.columns} for name, table in TABLES.items()}
FIXTURES = [
    block.strip().partition("\n")[2].partition("\n=>\n")[0]
    for path in sorted((Path(__file__).parent / "fixtures").rglob("*.kql"))
    for block in path.read_text().split("\n---\n")
]
LIBRARY = [hunt.query for hunt in hunts.load().values()]
READERS = re.compile(
    r"read_|glob|scan|getenv|pragma|duckdb_|current_setting|query|attach|copy|sqlite|parquet|which_secret"
)


@functools.cache
def parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def serialized(sql: str) -> dict[str, Any]:
    ((text,),) = parser().execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()
    found: dict[str, Any] = json.loads(text)
    assert not found["error"], found
    return found


def parts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from parts(value)
    elif isinstance(node, list):
        for value in node:
            yield from parts(value)


def check(sql: str, tables: set[str]) -> None:
    found = serialized(sql)
    assert len(found["statements"]) == 1
    every = list(parts(found))
    shared = {each["key"] for part in every for each in part.get("map", []) if isinstance(each, dict) and "key" in each}
    for part in every:
        if part.get("type") == "BASE_TABLE":
            assert part["table_name"] in tables | shared
            assert not part["schema_name"] and not part["catalog_name"]
        assert part.get("type") not in {"TABLE_FUNCTION", "SHOW_REF", "PIVOT"}
        if part.get("class") == "FUNCTION":
            assert not READERS.search(part["function_name"])


@pytest.mark.parametrize("text", [*LIBRARY, *FIXTURES])
def test_fixtures_and_library_hunts(text: str) -> None:
    discovery: list[str] = []

    def discover(wanted: kql.Translation) -> list[tuple[Any, ...]]:
        discovery.append(wanted.sql)
        return [("x", "string")]

    # pivot and bag_unpack first run a query for their columns.
    for sql in (kql.compiled(text, EVENTS, discover=discover).sql, *discovery):
        check(sql, set(EVENTS))


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM read_csv('x')", "SELECT * FROM secret", "SELECT getenv('HOME')", "SELECT * FROM x.T", "FROM 'f'"],
)
def test_check_rejects_other_sources(sql: str) -> None:
    with pytest.raises(AssertionError):
        check(sql, {"T"})


NASTY = st.text(st.sampled_from("'\"`\\;-/*$%_{}()[]|.,x0 \n\r\t\u2019\u02bc\uff07\u0430"), max_size=20)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@settings(max_examples=200, deadline=None)
@given(NASTY, NASTY, NASTY)
def test_hostile_literals_and_identifiers(text: str, name: str, table: str) -> None:
    column, source = "c" + name, "T" + table
    schema = {source: {column: "string", "d": "dynamic"}}
    query = (
        f"[{quoted(source)}] | where [{quoted(column)}] has {quoted(text)} or d[{quoted(text)}] == {quoted(text)}"
        f" | extend [{quoted('n' + name)}] = strcat({quoted(text)}, extract({quoted(re.escape(text))}, 0, 'x'))"
        f" | mv-expand e = d[{quoted(name)}] | summarize count() by [{quoted('n' + name)}], tostring(e)"
    )
    with contextlib.suppress(errors.InvalidQuery):
        check(kql.translate(query, schema), {source})


WORDS = [
    "T",
    "U",
    "|",
    "where",
    "union",
    "*",
    "search",
    "in",
    "(",
    ")",
    "table",
    "'_cold'",
    "'x'",
    "let",
    "=",
    ";",
    "x",
    "database",
    "cluster",
    "externaldata",
    "[",
    "]",
    "a",
    ".",
    "evaluate",
    "invoke",
    "read_csv",
    "materialize",
    "find",
    "print",
    "join",
    "on",
    "kind",
    "toscalar",
    "datatable",
    ":",
    "string",
    ",",
    "/etc/passwd",
    "--",
    "http://x",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14))
def test_random_word_sequences(words: list[str]) -> None:
    schema = {"T": {"a": "string"}, "U": {"a": "string", "b": "long"}}
    with contextlib.suppress(errors.InvalidQuery):
        check(kql.translate("T " + " ".join(words), schema), set(schema))
